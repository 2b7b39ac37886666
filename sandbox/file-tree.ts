import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { SandboxLimit, type TakeCaps } from './sandbox.ts';
import type { TarEntry } from './schema.ts';

/** Writes files below `dir`, creating it. What stands in the way, links above all, is replaced and never followed. */
export async function writeTree(dir: string, entries: readonly TarEntry[]): Promise<void> {
  await mkdir(dir, { recursive: true });
  const directories = new Set<string>(['.']);
  for (const { path: name, bytes, executable } of entries) {
    await makeDirectories(dir, path.posix.dirname(name), directories);
    const file = path.join(dir, name);
    await rm(file, { recursive: true, force: true });
    await writeFile(file, bytes, { flag: 'wx', mode: executable ? 0o755 : 0o644 });
  }
}

async function makeDirectories(dir: string, name: string, made: Set<string>): Promise<void> {
  if (made.has(name)) return;
  await makeDirectories(dir, path.posix.dirname(name), made);
  const directory = path.join(dir, name);
  const found = await lstat(directory).catch(() => undefined);
  if (!found?.isDirectory()) {
    await rm(directory, { force: true });
    await mkdir(directory);
  }
  made.add(name);
}

/**
 * Reads the regular files below `dir`, ordered by path. Links, special files, and files that may not be read or whose
 * name is not UTF-8 are left out.
 * @throws SandboxLimit above the caps, before reading more than they allow.
 */
export async function readTree(dir: string, caps: TakeCaps): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  let bytesLeft = caps.maxBytes;
  for await (const name of filesBelow(dir, '')) {
    const entry = await readEntry(dir, name, bytesLeft);
    if (entry === undefined) continue;
    entries.push(entry);
    bytesLeft -= entry.bytes.length;
    if (bytesLeft < 0) throw new SandboxLimit(`The files in ${dir} are more than ${caps.maxBytes} bytes.`);
    if (entries.length > caps.maxEntries) throw new SandboxLimit(`${dir} has more than ${caps.maxEntries} files.`);
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function* filesBelow(dir: string, below: string): AsyncGenerator<string> {
  const found = await readdir(path.join(dir, below), { withFileTypes: true }).catch(() => []);
  for (const entry of found) {
    const name = path.posix.join(below, entry.name);
    if (entry.isDirectory()) yield* filesBelow(dir, name);
    else if (entry.isFile()) yield name;
  }
}

/** Reads one byte more than are left, at most: enough to see that it is too much. */
async function readEntry(dir: string, name: string, bytesLeft: number): Promise<TarEntry | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path.join(dir, name), flags).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    if (!found.isFile()) return undefined;
    const buffer = Buffer.alloc(Math.min(found.size, bytesLeft + 1));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return { path: name, bytes: buffer.subarray(0, bytesRead), executable: (found.mode & 0o100) !== 0 };
  } finally {
    await file.close();
  }
}

/** Removes a directory although its programs may have taken away the right to do so. Never throws. */
export async function removeTree(dir: string): Promise<void> {
  const remove = () => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  await remove().catch(async () => {
    await makeWritable(dir);
    await remove().catch(() => {});
  });
}

async function makeWritable(dir: string): Promise<void> {
  await chmod(dir, 0o700).catch(() => {});
  const found = await readdir(dir, { withFileTypes: true }).catch(() => []);
  for (const entry of found) if (entry.isDirectory()) await makeWritable(path.join(dir, entry.name));
}
