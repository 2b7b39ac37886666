import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { release } from './bytes.ts';
import { onAbort } from './deadline.ts';
import { closeInherited } from './inherited-files.ts';
import type { KeptOutput } from './life.ts';
import { keepOutput } from './output.ts';
import type { Connection } from './sandbox.ts';
import { stdioDuplex } from './stdio-duplex.ts';

/** A program as this machine starts it: everything is literal, nothing is looked up or added. */
export interface Program {
  argv: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  /** Open files of this process that the program gets, as its 3 and up. */
  files?: readonly number[];
}

/** How long the output must be silent after the exit of its program before what other processes add is left unread. */
const QUIET_MS = 20;
const DRAIN_MS = 2000;
/** How long a program may take to end by itself once its stdin is closed. */
const FAREWELL_MS = 250;

/**
 * Runs a program of this machine to its end, and no longer: processes that it leaves behind are not waited for. The signal
 * ends its process group, which is an end like any other.
 * @returns its exit code, 0 to 255; 128 + n when signal n ended it; 127 or 126 when it could not be found or started.
 */
export async function runProgram(
  program: Program,
  { stdout, stderr }: KeptOutput,
  options: { stdin?: Uint8Array | undefined; signal?: AbortSignal | undefined },
): Promise<number> {
  const child = start(program);
  using _aborted = onAbort(options.signal, () => killGroup(child));
  for (const [stream, kept] of [
    [child.stdout, stdout],
    [child.stderr, stderr],
  ] as const) {
    stream.on('data', (chunk: Buffer) => {
      kept.write(chunk);
      release(chunk);
    });
  }
  child.stdin.end(options.stdin);
  const exitCode = await exitOf(child, (reason) => stderr.write(Buffer.from(reason)));
  await Promise.all([drained(child.stdout), drained(child.stderr)]);
  return exitCode;
}

/**
 * Starts a program for a protocol over its stdin and stdout. Disposing of it closes these, which well-behaved programs take
 * for their end, and then ends its process group.
 */
export function connectProgram(program: Program, signal?: AbortSignal): Connection & { ended: Promise<void> } {
  const child = start(program);
  const stderr = keepOutput(64 * 1024);
  child.stderr.on('data', (chunk: Buffer) => stderr.write(chunk));
  child.once('error', (error) => stderr.write(Buffer.from(`${error.message}\n`)));
  const stream = stdioDuplex(child.stdin, child.stdout);
  const aborted = onAbort(signal, () => {
    killGroup(child);
    child.stdout.destroy();
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  void ended.then(() => aborted[Symbol.dispose]());
  return {
    stream,
    ended,
    stderr: () => new TextDecoder().decode(stderr.output().bytes),
    async [Symbol.asyncDispose]() {
      stream.destroy();
      await within(FAREWELL_MS, ended);
      killGroup(child);
    },
  };
}

/** Resolves when `promise` does, at the latest after `ms`. */
export async function within(ms: number, promise: Promise<unknown>): Promise<void> {
  const late = new AbortController();
  await Promise.race([promise.catch(() => {}), delay(ms, undefined, { signal: late.signal }).catch(() => {})]);
  late.abort();
}

function start({ argv, cwd, env, files = [] }: Program): ChildProcessWithoutNullStreams {
  const [file = '', ...args] = argv;
  closeInherited();
  const child = spawn(file, args, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe', ...files] });
  if (!hasPipes(child)) throw new Error('a program was started without pipes');
  child.stdin.on('error', () => {});
  return child;
}

const hasPipes = (child: ChildProcess): child is ChildProcessWithoutNullStreams =>
  child.stdin !== null && child.stdout !== null && child.stderr !== null;

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

async function exitOf(child: ChildProcessWithoutNullStreams, explain: (reason: string) => void): Promise<number> {
  return await new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
    child.once('error', (error: NodeJS.ErrnoException) => {
      explain(`${error.message}\n`);
      resolve(error.code === 'ENOENT' ? 127 : 126);
    });
  });
}

/** Resolves when a stream has ended, or nothing has come from it for a while; then nobody reads it any more. */
async function drained(stream: Readable): Promise<void> {
  const giveUpMs = Date.now() + DRAIN_MS;
  while (!stream.readableEnded && !stream.destroyed && Date.now() < giveUpMs) {
    if (await isQuiet(stream)) break;
  }
  stream.destroy();
}

/** Whether nothing came for a while, counting only time in which this process had a chance to read. */
async function isQuiet(stream: Readable): Promise<boolean> {
  let isQuiet = true;
  const heard = (): void => {
    isQuiet = false;
  };
  stream.once('data', heard);
  await Promise.race([delay(QUIET_MS), once(stream, 'close').catch(() => {})]);
  await new Promise((resolve) => setImmediate(resolve));
  stream.off('data', heard);
  return isQuiet;
}
