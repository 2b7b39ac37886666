import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { launcher, plainEnvironment } from '#test/service-process.ts';
import type { Said } from './in-process.ts';

interface Options {
  env?: Record<string, string>;
  node?: string;
  cwd?: string;
  /** Interrupts it, as Ctrl-C does, once it has said this on stderr. */
  interruptAt?: string;
}

/** A command line as a process of its own. */
export async function cladeProcess(
  args: readonly string[],
  { env = {}, node = process.execPath, cwd, interruptAt }: Options = {},
): Promise<Said> {
  const child = spawn(node, [launcher, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...plainEnvironment(), ...env },
    cwd,
  });
  const said = collect(child);
  const interrupt = () => {
    if (interruptAt === undefined || !said.stderr.includes(interruptAt)) return;
    child.stderr.off('data', interrupt);
    child.kill('SIGINT');
  };
  child.stderr.on('data', interrupt);
  const [exitCode] = await once(child, 'close');
  return { exitCode, ...said };
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
