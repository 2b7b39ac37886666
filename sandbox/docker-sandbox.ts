import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { connectInContainer, execInContainer } from './docker-exec.ts';
import { statusOf } from './docker-images.ts';
import type { Keeper } from './keeper.ts';
import { Life } from './life.ts';
import type { Program } from './program.ts';
import {
  type Connection,
  type ConnectOptions,
  type ExecOptions,
  type ExecResult,
  type Sandbox,
  SandboxGone,
  SandboxUnavailable,
  type TakeCaps,
} from './sandbox.ts';
import type { TarEntry } from './schema.ts';
import { putByTar, takeByTar } from './tar-exec.ts';

const PATIENCE_MS = 10_000;

/** A running container with its keeper. When the keeper ends, for whatever reason, the engine removes it. */
export class DockerSandbox implements Sandbox {
  readonly driver = 'docker';
  readonly id: string;
  readonly baseEnv = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/tmp',
    TMPDIR: '/tmp',
    LANG: 'C.UTF-8',
  };
  readonly #container: Docker.Container;
  readonly #keeper: Keeper;
  readonly #life: Life;
  #ending: Promise<void> | undefined;
  /** Programs that the engine has been told to start and that do not run yet. */
  readonly #starts = new Set<Promise<void>>();

  constructor(container: Docker.Container, keeper: Keeper, deadlineMs: number) {
    this.id = container.id;
    this.#container = container;
    this.#keeper = keeper;
    this.#life = new Life(container.id.slice(0, 12), deadlineMs, () => void this.#end());
  }

  path(inside: string): string {
    return path.posix.resolve('/', inside);
  }

  async exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const { stdin, maxOutputBytes = 1024 * 1024 } = options;
    const run = () =>
      this.#reach(() =>
        execInContainer(this.#container, program(argv, options), { stdin, maxOutputBytes, starting: this.#starting }),
      );
    return await this.#life.run(options, run, () => this.quiesce());
  }

  async connect(argv: readonly string[], options: ConnectOptions): Promise<Connection> {
    options.signal?.throwIfAborted();
    this.#life.check();
    return await this.#reach(() =>
      connectInContainer(this.#container, program(argv, options), { signal: options.signal, starting: this.#starting }),
    );
  }

  async put(dir: string, tar: Uint8Array): Promise<void> {
    await putByTar((argv, options) => this.exec(argv, options), this.path(dir), tar);
  }

  async take(dir: string, caps: TakeCaps): Promise<TarEntry[]> {
    return await takeByTar((argv, options) => this.exec(argv, options), this.path(dir), caps);
  }

  async quiesce(): Promise<void> {
    if (this.#life.hasEnded) return await this.#end();
    await Promise.all(this.#starts);
    if (await this.#keeper.killAll()) return;
    this.#life.end('what ran in it could not be killed otherwise');
    await this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life[Symbol.dispose]();
    await this.#end();
    this.#keeper.close();
  }

  /** Begun once, and awaited by all. */
  #end(): Promise<void> {
    this.#ending ??= removeContainer(this.#container);
    return this.#ending;
  }

  readonly #starting = (start: Promise<void>): void => {
    const done = start.catch(() => {}).finally(() => this.#starts.delete(done));
    this.#starts.add(done);
  };

  /** Tells a container that has ended from an engine that has trouble. */
  async #reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#life.check();
      const why = error instanceof Error ? error.message : String(error);
      const status = statusOf(error);
      if (status !== 404 && status !== 409) throw new SandboxUnavailable(`Docker failed: ${why}`, { cause: error });
      this.#life.end('its container has stopped');
      throw new SandboxGone(`The sandbox ${this.id} has ended: ${why}`, { cause: error });
    }
  }
}

function program(
  argv: readonly string[],
  { cwd, env }: { cwd?: string; env: Readonly<Record<string, string>> },
): Program {
  return { argv, cwd: cwd ?? '/workspace', env };
}

/** Removes a container with all that runs in it, and waits until it is gone, whoever removes it. Never throws. */
export async function removeContainer(container: Docker.Container): Promise<void> {
  await container.remove({ force: true, v: true }).catch(() => {});
  const giveUpMs = Date.now() + PATIENCE_MS;
  while (Date.now() < giveUpMs && (await isThere(container))) await delay(20);
}

async function isThere(container: Docker.Container): Promise<boolean> {
  return await container.inspect().then(
    () => true,
    (error: unknown) => statusOf(error) !== 404 && statusOf(error) !== undefined,
  );
}
