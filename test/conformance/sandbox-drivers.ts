import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sandbox } from '#sandbox/sandbox.ts';
import type { Limits, SandboxSpec } from '#sandbox/schema.ts';

/** Another one each time, so that tests that run at once do not meet. */
export const someOwner = (): string => `test-${process.pid}-${Math.random().toString(36).slice(2)}`;

/** A spec that names only what matters to the test. */
export function someSpec(
  changes: Partial<Omit<SandboxSpec, 'limits'>> & { limits?: Partial<Limits> } = {},
): SandboxSpec {
  const limits = { cpus: 1, memoryMiB: 256, pids: 64, diskMiB: 64, ...changes.limits };
  const labels = { owner: someOwner(), run: 'run-1', job: 'job-1', epoch: 1 };
  return { image: 'clade/base:1', deadlineMs: Date.now() + 120_000, labels, ...changes, limits };
}

export interface Ran {
  exitCode: number | null;
  timedOut: boolean;
  stdout: string;
  stderr: string;
}

/** Runs a shell script with the usual environment. */
export async function shell(sandbox: Sandbox, script: string, timeoutMs = 30_000): Promise<Ran> {
  const options = { env: sandbox.baseEnv, deadlineMs: Date.now() + timeoutMs };
  const { exitCode, timedOut, stdout, stderr } = await sandbox.exec(['sh', '-c', script], options);
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { exitCode, timedOut, stdout: text(stdout.bytes), stderr: text(stderr.bytes) };
}

/** `ms`, and more where starting a program takes long: for deadlines before which something must have happened. */
export async function atLeast(sandbox: Sandbox, ms: number): Promise<number> {
  const began = performance.now();
  await shell(sandbox, 'true');
  return ms + 20 * (performance.now() - began);
}

/** An argument for `sleep` that no other process on this machine has, to find it by. */
export const someSleep = (): string => `9${Math.floor(Math.random() * 1e9)}`;

/** The running processes of this machine, in whichever sandbox, that have this among their arguments. */
export function processesWith(argument: string): number[] {
  const commandLine = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    } catch {
      return '';
    }
  };
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => commandLine(pid).split('\0').includes(argument)).map(Number);
}

/** The process of this machine that is a sandbox's keeper; undefined where it cannot be seen. */
export async function keeperOf(sandbox: Sandbox): Promise<number | undefined> {
  const { stdout } = await shell(sandbox, 'readlink /proc/self/ns/pid');
  const isKeeper = (pid: string): boolean => {
    try {
      const [program = '', , script = ''] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
      const isShell = program === '/bin/sh' && script.includes('while read -r said');
      return isShell && readlinkSync(`/proc/${pid}/ns/pid`) === stdout.trim();
    } catch {
      return false;
    }
  };
  const found = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isKeeper(name));
  return found === undefined ? undefined : Number(found);
}

/** What is left on this machine of the sandboxes with these ids: directories, control groups. */
export async function remainsOf(ids: readonly string[]): Promise<string[]> {
  const own = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  const groups = [...own.matchAll(/^\d+:([^:=]*):(.*)$/gm)].flatMap(([, kind = '', group = '']) => [
    path.join('/sys/fs/cgroup', kind, group),
    path.join('/sys/fs/cgroup', kind, path.dirname(group)),
  ]);
  const found: string[] = [];
  for (const directory of [tmpdir(), '/sys/fs/cgroup', ...groups]) {
    const names = await readdir(directory).catch(() => []);
    found.push(...names.filter((name) => ids.includes(name)).map((name) => path.join(directory, name)));
  }
  return found;
}
