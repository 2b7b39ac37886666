import type { Duplex } from 'node:stream';
import type { ImageStore } from './images.ts';
import type { DriverName, SandboxLabels, SandboxSpec, TarEntry } from './schema.ts';

/**
 * A place to run untrusted code. It has no network, an environment that is empty but for what `exec` is given, and the
 * writable directories `/workspace`, `/agent`, `/task`, `/clade` and `/tmp`.
 *
 * Paths given to `path` are as the sandbox's programs would see them under a root of their own; the process driver has no
 * root of its own, so every path that goes into `exec` (arguments, cwd, environment) must come out of `path` first.
 * `put` and `take` do that themselves.
 */
export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  readonly driver: DriverName;
  /** PATH, HOME, TMPDIR and LANG with which programs work here. Not added to `exec` by itself. */
  readonly baseEnv: Readonly<Record<string, string>>;
  /** How to call a program that every sandbox for solvers has, whatever its image has of that name. */
  program(name: 'node' | 'git'): string;
  /** Where an absolute path of the sandbox is, as its own programs must name it. */
  path(inside: string): string;
  /**
   * Runs a program to its end. Resolves when the program itself has exited, even while processes it left behind still hold
   * its output; those run on until `quiesce`. At the deadline everything in the sandbox is killed, and the sandbox stays
   * usable (to take what was left behind) unless the sandbox's own deadline has passed.
   * @throws SandboxGone when the sandbox has ended; the signal's reason when aborted.
   */
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** Starts a program and hands out its stdin and stdout as one stream, for a protocol. */
  connect(argv: readonly string[], options: ConnectOptions): Promise<Connection>;
  /** Unpacks a tar archive (regular files only) below `dir`, creating it. Existing files are replaced. */
  put(dir: string, tar: Uint8Array): Promise<void>;
  /** Reads the regular files below `dir`. Links and special files are left out. @throws SandboxLimit above the caps. */
  take(dir: string, caps: TakeCaps): Promise<TarEntry[]>;
  /** Kills every process in the sandbox; files stay. */
  quiesce(): Promise<void>;
  /**
   * Ends everything in it, beyond recall; what it held may be removed a little later, GPUs aside. Never throws, may be called
   * twice.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ExecOptions {
  /** Absolute path of the sandbox, default `/workspace`. Mapped by the sandbox itself. */
  cwd?: string;
  /** The whole environment of the program. */
  env: Readonly<Record<string, string>>;
  stdin?: Uint8Array;
  /** Milliseconds since the epoch. */
  deadlineMs: number;
  /** Bytes kept of stdout and of stderr each: the first and the last half. Default 1 MiB. */
  maxOutputBytes?: number;
  signal?: AbortSignal;
}

/** What a program printed, cut in the middle when it was too much. */
export interface Output {
  /** Head and tail joined, with a line that says how much was cut between them. */
  bytes: Uint8Array;
  /** Bytes the program wrote in all; at least as many as were kept (drivers may stop counting once they stop reading). */
  totalBytes: number;
  cut: boolean;
}

export interface ExecResult {
  /** 0 to 255; 128 + n when signal n ended it; null when we ended it at the deadline. */
  exitCode: number | null;
  timedOut: boolean;
  stdout: Output;
  stderr: Output;
  durationMs: number;
}

export interface ConnectOptions {
  cwd?: string;
  env: Readonly<Record<string, string>>;
  signal?: AbortSignal;
}

export interface Connection extends AsyncDisposable {
  /** stdin when written, stdout when read. */
  readonly stream: Duplex;
  /** What the program has written to stderr so far, at most 64 KiB of it. */
  stderr(): string;
}

export interface TakeCaps {
  maxBytes: number;
  maxEntries: number;
}

/** Opens sandboxes of one kind. */
export interface SandboxDriver {
  readonly name: DriverName;
  /** False for `process`, which keeps nothing out: only for code one would run by hand. */
  readonly isolates: boolean;
  /** Its images; null for drivers that have none and run the host's own programs. */
  readonly images: ImageStore | null;
  /** Whether it works here; if not, what is missing and how to get it. Never throws. */
  diagnose(): Promise<Diagnosis>;
  /** Makes sure `image` is there before the first `open`. @throws SandboxUnavailable when it cannot be had. */
  prepare(image: string, options?: { signal?: AbortSignal; onProgress?: (line: string) => void }): Promise<void>;
  open(spec: SandboxSpec, options?: { signal?: AbortSignal }): Promise<Sandbox>;
  /** Removes what crashed owners left: every sandbox with `owner`'s label for which `isAlive` is false. */
  reap(owner: string, isAlive: (labels: SandboxLabels) => boolean): Promise<string[]>;
  /** Resolves when nothing is left of sandboxes that were disposed of before. By default that is so at once. */
  settled?(): Promise<void>;
}

export interface Diagnosis {
  driver: DriverName;
  available: boolean;
  /** One line: the version found, or what is missing. */
  detail: string;
  /** How to get it, when it is missing. */
  remedy?: string;
  /** Whether it can hand out GPUs, as far as that shows before it is tried; undefined: it never can. */
  gpus?: boolean;
  /** The limits it enforces on this machine. */
  enforces: { memory: boolean; pids: boolean; cpus: boolean; disk: boolean; network: boolean };
}

/**
 * Whose doing it was that a sandbox ended. `program`: what ran in it ended it, for instance by using up its memory, or could
 * not be ended otherwise; or somebody removed it from outside. `harness`: whoever opened it did, on purpose or because it no
 * longer answered. `deadline`: its own has passed.
 */
export type EndedBy = 'program' | 'harness' | 'deadline';

/** The sandbox has ended: its deadline passed, it was disposed of, or the engine removed it. */
export class SandboxGone extends Error {
  override name = 'SandboxGone';
  readonly endedBy: EndedBy;

  constructor(message: string, endedBy: EndedBy, options?: ErrorOptions) {
    super(message, options);
    this.endedBy = endedBy;
  }
}

/** The driver or the image is not to be had here. The message says what to do. The harness's fault, never the agent's. */
export class SandboxUnavailable extends Error {
  override name = 'SandboxUnavailable';
}

/** The sandbox held more than the caller was ready to take out of it. */
export class SandboxLimit extends Error {
  override name = 'SandboxLimit';
}
