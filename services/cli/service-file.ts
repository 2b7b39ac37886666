import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** How to reach the service of a data directory. Holds no secret. */
const ServiceFile = z.object({ url: z.url(), pid: z.int().positive() });
export type ServiceFile = z.infer<typeof ServiceFile>;

/** Says in the data directory where its service listens. Disposing takes that back. */
export async function announceService(home: string, url: string): Promise<AsyncDisposable> {
  const file = pathIn(home);
  await writeFile(`${file}.new`, `${JSON.stringify({ url, pid: process.pid })}\n`);
  await rename(`${file}.new`, file);
  return { [Symbol.asyncDispose]: () => rm(file, { force: true }) };
}

/** Where the service of a data directory listens; null when none is running. */
export async function readServiceFile(home: string): Promise<ServiceFile | null> {
  const text = await readFile(pathIn(home), 'utf8').catch(() => null);
  if (text === null) return null;
  const parsed = ServiceFile.safeParse(parseJson(text));
  return parsed.success && isAlive(parsed.data.pid) ? parsed.data : null;
}

function pathIn(home: string): string {
  return join(home, 'service.json');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
