import { readFile } from 'node:fs/promises';
import { Duplex, PassThrough } from 'node:stream';
import type Docker from 'dockerode';
import { Keeper } from '#sandbox/keeper.ts';
import { SandboxUnavailable } from '#sandbox/sandbox.ts';
import { answered, type Engine } from './answer.ts';
import { type ContainerSettings, settingDifferences } from './container-settings.ts';
import { DockerSandbox } from './docker-sandbox.ts';
import { readFrames } from './frames.ts';
import { type Removals, removeContainer } from './removals.ts';

export interface StartOptions {
  /** Milliseconds since the epoch at which everything in it ends. */
  deadlineMs: number;
  /** A name for the container; by default the engine makes one up. */
  name?: string;
  signal?: AbortSignal | undefined;
  /** Where it goes in the end. */
  removals: Removals;
  /** Whether disposing of it waits until it is gone. */
  isAwaited?: boolean;
  /** What an image sets for its programs, where those are at home. */
  baseEnv?: Readonly<Record<string, string>>;
  /** Whether Node and git are mounted. */
  hasTools?: boolean | undefined;
}

const SECCOMP = new URL('./seccomp.json', import.meta.url);

/**
 * Makes a container whose first process is a keeper, checks that it is as asked for, and starts it.
 * @throws SandboxUnavailable when the engine will not have it; the signal's reason when aborted. Nothing is left behind.
 */
export async function startContainer(
  engine: Engine,
  settings: ContainerSettings,
  { name, signal, ...parts }: StartOptions,
): Promise<DockerSandbox> {
  const { docker, answerMs } = engine;
  const ask = async <T>(call: (abortSignal: AbortSignal) => Promise<T>): Promise<T> =>
    await answered(4 * answerMs, call);
  const named = name === undefined ? settings : { ...settings, name };
  signal?.throwIfAborted();
  await using undo = new AsyncDisposableStack();
  try {
    const container = await ask((abortSignal) => docker.createContainer({ ...named, abortSignal }));
    undo.defer(async () => await removeContainer(container, answerMs));
    const differences = settingDifferences(settings, await ask((abortSignal) => container.inspect({ abortSignal })));
    if (differences.length > 0) throw new Error(`the container is not as asked for: ${differences.join('; ')}`);
    const keeper = await ask((abortSignal) => attach(container, abortSignal));
    signal?.throwIfAborted();
    await ask((abortSignal) => container.start({ abortSignal }));
    signal?.throwIfAborted();
    undo.move();
    return new DockerSandbox(container, { ...parts, keeper, answerMs });
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof SandboxUnavailable) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new SandboxUnavailable(`Docker could not open a sandbox: ${why}${hint(why)}`, { cause: error });
  }
}

/** The profile as the engine wants it: JSON in a string. */
export async function seccompProfile(): Promise<string> {
  return JSON.stringify(JSON.parse(await readFile(SECCOMP, 'utf8')));
}

function hint(why: string): string {
  if (why.includes('docker-init')) return ' (apt-get install tini)';
  const lacksRuntime = /could not select device driver|nvidia-container-(cli|runtime)|unresolvable CDI devices/.test(
    why,
  );
  return lacksRuntime ? ' (install the NVIDIA Container Toolkit, then systemctl restart docker)' : '';
}

async function attach(container: Docker.Container, abortSignal: AbortSignal): Promise<Keeper> {
  const streams = { stdin: true, stdout: true, stderr: true };
  const stream = await container.attach({ stream: true, hijack: true, ...streams, abortSignal });
  if (!(stream instanceof Duplex)) throw new Error('attaching gave no stream to write to');
  const stdout = new PassThrough();
  const frames = readFrames((_name, content) => void stdout.write(content));
  stream.on('data', frames);
  stream.once('close', () => stdout.end());
  stream.once('end', () => stdout.end());
  return new Keeper(stream, stdout);
}
