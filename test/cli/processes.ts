import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Said } from './in-process.ts';

export const launcher = fileURLToPath(new URL('../../services/clade.js', import.meta.url));

interface Options {
  env?: Record<string, string>;
  node?: string;
  cwd?: string;
}

/** A command line as a process of its own. */
export async function cladeProcess(
  args: readonly string[],
  { env = {}, node = process.execPath, cwd }: Options = {},
): Promise<Said> {
  const child = spawn(node, [launcher, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    cwd,
  });
  const said = collect(child);
  const [exitCode] = await once(child, 'close');
  return { exitCode, ...said };
}

export interface Up extends AsyncDisposable {
  url: string;
  said: { stdout: string; stderr: string };
  /** Sends SIGTERM; how long it took to end, and with what. */
  end(): Promise<{ exitCode: number | null; tookMs: number }>;
}

/** `clade up` on a free port, once it answers. */
export async function up(home: string, args: readonly string[] = []): Promise<Up> {
  const child = spawn(process.execPath, [launcher, 'up', '--home', home, '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = collect(child);
  const closed = once(child, 'close');
  const file = join(home, 'service.json');
  while (!existsSync(file)) {
    if (child.exitCode !== null) throw new Error(`the service ended: ${said.stderr}`);
    await sleep(20);
  }
  return {
    url: JSON.parse(readFileSync(file, 'utf8')).url,
    said,
    async end() {
      const began = Date.now();
      child.kill('SIGTERM');
      await closed;
      return { exitCode: child.exitCode, tookMs: Date.now() - began };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      said[name] += chunk;
    });
  }
  return said;
}
