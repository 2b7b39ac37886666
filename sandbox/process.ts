import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readTree, removeTree, writeTree } from './file-tree.ts';
import { Life } from './life.ts';
import { killMarked } from './marked-processes.ts';
import { connectProgram, type Program, runProgram } from './program.ts';
import type {
  Connection,
  ConnectOptions,
  Diagnosis,
  ExecOptions,
  ExecResult,
  Sandbox,
  SandboxDriver,
  TakeCaps,
} from './sandbox.ts';
import type { SandboxLabels, SandboxSpec, TarEntry } from './schema.ts';
import { readTar } from './tar.ts';

export interface ProcessOptions {
  /** Where programs are looked up, after the directory of the node that runs this. */
  path?: string;
}

const DIRECTORIES = ['workspace', 'agent', 'task', 'clade', 'tmp'];
const SYSTEM_PATH = '/opt/homebrew/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs programs as plain processes in a temporary directory. It keeps nothing out and enforces no limits but the deadline:
 * it is for code that one would run by hand.
 */
export function createProcess(options: ProcessOptions = {}): SandboxDriver {
  const searchPath = `${path.dirname(process.execPath)}:${options.path ?? SYSTEM_PATH}`;
  return {
    name: 'process',
    isolates: false,
    images: null,
    diagnose: async () => diagnosis(),
    prepare: async () => {},
    async open(spec, { signal } = {}) {
      signal?.throwIfAborted();
      return new ProcessSandbox(spec, searchPath);
    },
    reap,
  };
}

function diagnosis(): Diagnosis {
  const detail = existsSync('/proc/self/environ')
    ? 'plain processes, nothing is kept out'
    : 'plain processes, nothing is kept out; without /proc, processes that left their session are not found';
  const enforces = { memory: false, pids: false, cpus: false, disk: false, network: false };
  return { driver: 'process', available: true, detail, enforces };
}

class ProcessSandbox implements Sandbox {
  readonly driver = 'process';
  readonly id: string;
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly #directory: string;
  /** What tells this sandbox from others that have had, or will have, the same directory. */
  readonly #labels: string;
  readonly #life: Life;
  #hasRun = false;

  constructor(spec: SandboxSpec, searchPath: string) {
    // One directory, whose name tells the owner: even one that its owner had no time to finish is found again.
    this.#directory = makeDirectory(spec.labels);
    this.id = path.basename(this.#directory);
    this.#labels = JSON.stringify({ ...spec.labels, sandbox: randomUUID() });
    writeFileSync(path.join(this.#directory, 'labels.json'), this.#labels);
    for (const name of DIRECTORIES) mkdirSync(path.join(this.#directory, name));
    const own = { PATH: searchPath, HOME: this.path('/tmp'), TMPDIR: this.path('/tmp'), LANG: 'C.UTF-8' };
    const gpus = spec.gpus ?? [];
    // Other GPUs are not kept away from programs that look for them; nothing is.
    this.baseEnv = gpus.length === 0 ? own : { ...own, CUDA_VISIBLE_DEVICES: gpus.join(',') };
    this.#life = new Life(this.id, spec.deadlineMs, () => void this.quiesce());
  }

  program(name: 'node' | 'git'): string {
    return name;
  }

  path(inside: string): string {
    return path.join(this.#directory, path.posix.resolve('/', inside));
  }

  async exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const { stdin } = options;
    this.#look();
    return await this.#life.run(
      options,
      (kept) => runProgram(this.#program(argv, options), kept, { stdin }).finally(() => this.#look()),
      () => this.quiesce(),
    );
  }

  async connect(argv: readonly string[], options: ConnectOptions): Promise<Connection> {
    options.signal?.throwIfAborted();
    this.#look();
    this.#life.check();
    return connectProgram(this.#program(argv, options), options.signal);
  }

  async put(dir: string, tar: Uint8Array): Promise<void> {
    this.#look();
    this.#life.check();
    await writeTree(this.path(dir), readTar(tar));
  }

  async take(dir: string, caps: TakeCaps): Promise<TarEntry[]> {
    this.#look();
    this.#life.check();
    return await readTree(this.path(dir), caps);
  }

  async quiesce(): Promise<void> {
    if (this.#hasRun && !this.#look()) await killMarked({ mark: mark(this.id), directory: this.#directory });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life[Symbol.dispose]();
    await this.quiesce();
    if (!this.#look()) await removeTree(this.#directory);
  }

  /** Whether it was cleared away, as one whose owner seems dead, and another sandbox has its place by now. */
  #look(): boolean {
    const found = readText(path.join(this.#directory, 'labels.json'));
    const isTaken = found !== undefined && found !== this.#labels;
    if (isTaken) this.#life.end('harness', 'it was cleared away, as if its owner were dead');
    return isTaken;
  }

  #program(argv: readonly string[], { cwd, env }: { cwd?: string; env: Readonly<Record<string, string>> }): Program {
    this.#hasRun = true;
    return { argv, cwd: this.path(cwd ?? '/workspace'), env: { ...env, CLADE_SANDBOX: this.id } };
  }
}

/** The same one for a job that is done again, as long as it is free: agents and tests print where they are. */
function makeDirectory({ owner, run, job }: SandboxLabels): string {
  const usual = createHash('sha256').update(`${run} ${job}`).digest('hex').slice(0, 12);
  const directory = path.join(tmpdir(), `${directoryPrefix(owner)}${usual}`);
  try {
    mkdirSync(directory, { mode: 0o700 });
    return directory;
  } catch {
    return mkdtempSync(`${directory}-`);
  }
}

const mark = (id: string): string => `CLADE_SANDBOX=${id}`;

const directoryPrefix = (owner: string): string =>
  `clade-${createHash('sha256').update(owner).digest('hex').slice(0, 12)}-`;

async function reap(owner: string, isAlive: (labels: SandboxLabels) => boolean): Promise<string[]> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(directoryPrefix(owner)));
  const removed: string[] = [];
  for (const id of names) {
    const directory = path.join(tmpdir(), id);
    const labels = await readLabels(directory);
    if (labels !== undefined && (labels.owner !== owner || isAlive(labels))) continue;
    await killMarked({ mark: mark(id), directory });
    await removeTree(directory);
    removed.push(id);
  }
  return removed;
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Undefined when the owner was ended between making the directory and labelling it. */
async function readLabels(directory: string): Promise<SandboxLabels | undefined> {
  try {
    // The constructor above wrote it.
    return JSON.parse(await readFile(path.join(directory, 'labels.json'), 'utf8')) as SandboxLabels;
  } catch {
    return undefined;
  }
}
