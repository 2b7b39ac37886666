import { type Duplex, PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { release } from './bytes.ts';
import { onAbort } from './deadline.ts';
import { readFrames } from './docker-frames.ts';
import { keepOutput } from './output.ts';
import { drained, type Program, type ProgramEnd } from './program.ts';
import type { Connection } from './sandbox.ts';
import { stdioDuplex } from './stdio-duplex.ts';

/** How long to wait before asking the engine whether a program has ended whose output has not: longer each time. */
const FIRST_POLL_MS = 30;
const LAST_POLL_MS = 500;
/** How long nothing must have come after the exit: output takes another way through the engine than the news of it. */
const QUIET_MS = 60;
/** How long the engine may take to start a program. */
const START_MS = 10_000;

/** Runs a program in a container to its end. Processes that it leaves behind are not waited for. */
export async function execInContainer(
  container: Docker.Container,
  program: Program,
  options: { stdin?: Uint8Array | undefined; maxOutputBytes: number; starting: (start: Promise<void>) => void },
): Promise<ProgramEnd> {
  const stdout = keepOutput(options.maxOutputBytes);
  const stderr = keepOutput(options.maxOutputBytes);
  const { exec, stream } = await startExec(container, program, options.starting);
  const frames = readFrames((name, content) => (name === 'stdout' ? stdout : stderr).write(content));
  stream.on('data', (chunk: Buffer) => {
    frames(chunk);
    release(chunk);
  });
  const closed = new Promise<void>((resolve) => stream.once('close', resolve).once('end', resolve));
  stream.end(options.stdin);
  const exitCode = await exitOf(exec, closed);
  await drained(stream, QUIET_MS);
  return { exitCode, stdout: stdout.output(), stderr: stderr.output() };
}

/**
 * Starts a program in a container for a protocol over its stdin and stdout. The engine cannot end one program alone:
 * disposing of it closes its stdin, and killing is the keeper's affair.
 */
export async function connectInContainer(
  container: Docker.Container,
  program: Program,
  options: { signal?: AbortSignal | undefined; starting: (start: Promise<void>) => void },
): Promise<Connection> {
  const { stream: socket } = await startExec(container, program, options.starting);
  const stdout = new PassThrough();
  const stderr = keepOutput(64 * 1024);
  const frames = readFrames((name, content) => {
    if (name === 'stderr') stderr.write(content);
    else if (!stdout.write(content)) socket.pause();
  });
  stdout.on('drain', () => socket.resume());
  socket.on('data', frames);
  socket.once('end', () => stdout.end());
  socket.once('close', () => stdout.end());
  const stream = stdioDuplex(socket, stdout);
  const aborted = onAbort(options.signal, () => stream.destroy());
  stream.once('close', () => aborted[Symbol.dispose]());
  return {
    stream,
    stderr: () => new TextDecoder().decode(stderr.output().bytes),
    [Symbol.asyncDispose]: async () => void stream.destroy(),
  };
}

/** `starting` gets what resolves when the program runs: before that, killing everything in the container would miss it. */
async function startExec(
  container: Docker.Container,
  { argv, cwd, env }: Program,
  starting: (start: Promise<void>) => void,
): Promise<{ exec: Docker.Exec; stream: Duplex }> {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const exec = await container.exec({
    // `-i` because the engine adds what the image sets to the environment.
    Cmd: ['/usr/bin/env', '-i', ...variables, ...argv],
    WorkingDir: cwd,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  stream.on('error', () => {});
  starting(started(exec));
  return { exec, stream };
}

/** The engine says that it runs a program before it does; only then it tells the process id. */
async function started(exec: Docker.Exec): Promise<void> {
  const giveUpMs = Date.now() + START_MS;
  while (Date.now() < giveUpMs) {
    const { Pid, Running, ExitCode } = await exec.inspect();
    if (Pid > 0 || (!Running && ExitCode !== null)) return;
    await delay(5);
  }
}

async function exitOf(exec: Docker.Exec, closed: Promise<void>): Promise<number> {
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  for (let waitMs = FIRST_POLL_MS; ; waitMs = Math.min(LAST_POLL_MS, 1.5 * waitMs)) {
    await Promise.race([closed, delay(waitMs)]);
    const { Running, ExitCode } = await exec.inspect();
    if (!Running && ExitCode !== null) return ExitCode;
    // The output ends a little before the engine takes note of the exit.
    if (isClosed) await delay(5);
  }
}
