import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Keeper } from '#sandbox/keeper.ts';
import { Life } from '#sandbox/life.ts';
import type { Program } from '#sandbox/program.ts';
import {
  type Connection,
  type ConnectOptions,
  type ExecOptions,
  type ExecResult,
  type Sandbox,
  SandboxGone,
  SandboxUnavailable,
  type TakeCaps,
} from '#sandbox/sandbox.ts';
import type { TarEntry } from '#sandbox/schema.ts';
import { putByTar, takeByTar } from '#sandbox/tar-exec.ts';
import { statusOf } from './answer.ts';
import { TOOLS } from './container-settings.ts';
import { connectInContainer, execInContainer, type ProgramPlace } from './exec.ts';
import { type ContainerProcess, processesIn } from './processes.ts';
import type { Removals } from './removals.ts';

/** How long what was killed may take to be gone. */
const PATIENCE_MS = 10_000;
/** The first process of a container, which the engine adds, and the keeper. */
const OWN_PROCESSES = 2;
/** How many calls killing a program can take, one after the other: to start it, to look whether it runs, to remove it. */
const KILLING_CALLS = 5;

/** With which programs work in images of ours. */
const PLAIN_ENV = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/tmp',
  TMPDIR: '/tmp',
  LANG: 'C.UTF-8',
};

interface Parts {
  keeper: Keeper;
  deadlineMs: number;
  answerMs: number;
  removals: Removals;
  /** Whether disposing of it waits until it is gone. */
  isAwaited?: boolean | undefined;
  /** What an image sets for its programs, where it is at home with that. */
  baseEnv?: Readonly<Record<string, string>> | undefined;
  /** Whether Node and git are mounted. */
  hasTools?: boolean | undefined;
}

/** A running container with its keeper. When the keeper ends, for whatever reason, the engine removes it. */
export class DockerSandbox implements Sandbox {
  readonly driver = 'docker';
  readonly id: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly #place: ProgramPlace;
  readonly #hasTools: boolean;
  readonly #keeper: Keeper;
  readonly #life: Life;
  readonly #removals: Removals;
  readonly #isAwaited: boolean;
  #ending: ReturnType<Removals['begin']> | undefined;
  /** For programs that the engine has been told to start and that may not run yet: wait until they do. */
  readonly #starts = new Set<() => Promise<void>>();

  constructor(container: Docker.Container, parts: Parts) {
    const { keeper, deadlineMs, answerMs, removals, isAwaited = false, baseEnv, hasTools = false } = parts;
    this.baseEnv = baseEnv ?? PLAIN_ENV;
    this.#hasTools = hasTools;
    this.#removals = removals;
    this.#isAwaited = isAwaited;
    this.id = container.id;
    this.#place = { container, answerMs, starting: (untilRunning) => this.#starting(untilRunning) };
    this.#keeper = keeper;
    const reportMs = KILLING_CALLS * answerMs + 2 * PATIENCE_MS;
    this.#life = new Life(container.id.slice(0, 12), deadlineMs, () => void this.#end(), reportMs);
  }

  program(name: 'node' | 'git'): string {
    return this.#hasTools ? `${TOOLS}/bin/${name}` : name;
  }

  path(inside: string): string {
    return path.posix.resolve('/', inside);
  }

  async exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    return await this.#life.run(
      options,
      (kept) => this.#reach(() => execInContainer(this.#place, program(argv, options), kept, options.stdin)),
      () => this.quiesce(),
    );
  }

  async connect(argv: readonly string[], options: ConnectOptions): Promise<Connection> {
    options.signal?.throwIfAborted();
    this.#life.check();
    return await this.#reach(() => connectInContainer(this.#place, program(argv, options), options.signal));
  }

  async put(dir: string, tar: Uint8Array): Promise<void> {
    await putByTar((argv, options) => this.exec(argv, options), this.path(dir), tar);
  }

  async take(dir: string, caps: TakeCaps): Promise<TarEntry[]> {
    return await takeByTar((argv, options) => this.exec(argv, options), this.path(dir), caps);
  }

  async quiesce(): Promise<void> {
    if (this.#life.hasEnded) return await this.#end().gone;
    await Promise.all([...this.#starts].map((untilRunning) => untilRunning().catch(() => {})));
    const hasAnswered = await this.#keeper.killAll();
    if (hasAnswered && (await this.#empties())) return;
    // A keeper that is late for no reason of the program's is late because the machine is.
    const isTampered =
      hasAnswered || this.#keeper.hasEnded || (await this.#processes()).some(({ isStopped }) => isStopped);
    this.#life.end(isTampered ? 'program' : 'harness', 'what ran in it could not be killed otherwise');
    await this.#end().gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life[Symbol.dispose]();
    const { begun, gone } = this.#end();
    void gone.then(() => this.#keeper.close());
    await (this.#isAwaited ? gone : begun);
  }

  /** Begun once. */
  #end(): ReturnType<Removals['begin']> {
    this.#ending ??= this.#removals.begin(this.#place.container);
    return this.#ending;
  }

  #starting(untilRunning: () => Promise<void>): Disposable {
    this.#starts.add(untilRunning);
    return { [Symbol.dispose]: () => void this.#starts.delete(untilRunning) };
  }

  /** Programs share the keeper's user, and so could answer in its place: what counts is that they are gone. */
  async #empties(): Promise<boolean> {
    const giveUpMs = Date.now() + PATIENCE_MS;
    while ((await this.#processes()).length > OWN_PROCESSES) {
      if (Date.now() > giveUpMs) return false;
      await delay(20);
      if (!(await this.#keeper.killAll())) return false;
    }
    return true;
  }

  async #processes(): Promise<ContainerProcess[]> {
    return (await processesIn(this.#place.container, this.#place.answerMs)) ?? [];
  }

  /** Tells a container that has ended from an engine that has trouble. */
  async #reach<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#life.check();
      const why = error instanceof Error ? error.message : String(error);
      const status = statusOf(error);
      if (status !== 404 && status !== 409) throw new SandboxUnavailable(`Docker failed: ${why}`, { cause: error });
      this.#life.end('program', 'its container has stopped');
      throw new SandboxGone(`The sandbox ${this.id} has ended: ${why}`, 'program', { cause: error });
    }
  }
}

function program(
  argv: readonly string[],
  { cwd, env }: { cwd?: string; env: Readonly<Record<string, string>> },
): Program {
  return { argv, cwd: cwd ?? '/workspace', env };
}
