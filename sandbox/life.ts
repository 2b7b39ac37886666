import { atDeadline, onAbort } from './deadline.ts';
import { keepOutput, type OutputKeeper } from './output.ts';
import { type EndedBy, type ExecOptions, type ExecResult, SandboxGone, SandboxUnavailable } from './sandbox.ts';

/** How long killing a program may take, until its end is reported: more than all that is tried for it, one after the other. */
const REPORT_MS = 60_000;
const DEFAULT_OUTPUT_BYTES = 1024 * 1024;

/** Where a program's output is put while it runs. */
export interface KeptOutput {
  stdout: OutputKeeper;
  stderr: OutputKeeper;
}

/** What all sandboxes have in common: they are open until they are ended, once and for good, at their deadline at the latest. */
export class Life implements Disposable {
  readonly id: string;
  readonly #deadlineMs: number;
  readonly #reportMs: number;
  readonly #deadline: Disposable;
  #ended: { by: EndedBy; reason: string } | undefined;

  /**
   * @param atEnd called when the deadline passes; it must not throw.
   * @param reportMs how long killing a program may take until its end is reported.
   */
  constructor(id: string, deadlineMs: number, atEnd: () => void, reportMs = REPORT_MS) {
    this.id = id;
    this.#deadlineMs = deadlineMs;
    this.#reportMs = reportMs;
    this.#deadline = atDeadline(deadlineMs, () => {
      this.end('deadline', 'its deadline has passed');
      atEnd();
    });
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** The first one given is the one that is told. */
  end(by: EndedBy, reason: string): void {
    this.#ended ??= { by, reason };
  }

  /** @throws SandboxGone when it has ended. */
  check(): void {
    if (this.#ended === undefined) return;
    const { by, reason } = this.#ended;
    throw new SandboxGone(`The sandbox ${this.id} has ended: ${reason}.`, by);
  }

  /**
   * Runs a program until its own deadline or the sandbox's. `program` resolves to the exit code; `killAll` must make it do so,
   * and where that cannot be told in time the sandbox has ended. A program that ran out of its time did so whatever became
   * of the sandbox.
   * @throws the signal's reason when aborted; SandboxGone when the sandbox ended for another reason than its deadline.
   */
  async run(
    bounds: Pick<ExecOptions, 'deadlineMs' | 'maxOutputBytes' | 'signal'>,
    program: (kept: KeptOutput) => Promise<number>,
    killAll: () => Promise<void>,
  ): Promise<ExecResult> {
    bounds.signal?.throwIfAborted();
    this.check();
    const startedMs = performance.now();
    const { maxOutputBytes = DEFAULT_OUTPUT_BYTES } = bounds;
    const kept = { stdout: keepOutput(maxOutputBytes), stderr: keepOutput(maxOutputBytes) };
    let timedOut = false;
    using killing = new Killing(killAll, this.#reportMs, () => this.#unreported());
    using _late = atDeadline(Math.min(bounds.deadlineMs, this.#deadlineMs), () => {
      timedOut = true;
      killing.begin();
    });
    using _aborted = onAbort(bounds.signal, () => killing.begin());
    let exitCode: number | null = null;
    try {
      exitCode = await killing.unlessLate(program(kept));
      // Not before the killing is over, which would hit the next program.
      await killing.unlessLate(killing.done);
    } catch (error) {
      bounds.signal?.throwIfAborted();
      if (!timedOut) throw error;
      this.end('harness', 'it is not known whether what ran in it has ended');
    }
    bounds.signal?.throwIfAborted();
    if (!timedOut) this.check();
    const output = { stdout: kept.stdout.output(), stderr: kept.stderr.output() };
    return { ...output, exitCode: timedOut ? null : exitCode, timedOut, durationMs: performance.now() - startedMs };
  }

  [Symbol.dispose](): void {
    this.end('harness', 'it was disposed of');
    this.#deadline[Symbol.dispose]();
  }

  #unreported(): Error {
    return new SandboxUnavailable(`The sandbox ${this.id} did not report the end of a program that was killed.`);
  }
}

/** The killing of a program, which may begin at any time and is late when its end is not reported in time. */
class Killing implements Disposable {
  /** Resolves when it is over, at once when it never began. */
  done: Promise<void> = Promise.resolve();
  readonly #killAll: () => Promise<void>;
  readonly #reportMs: number;
  readonly #error: () => Error;
  readonly #late = Promise.withResolvers<never>();
  #timer: Disposable | undefined;

  constructor(killAll: () => Promise<void>, reportMs: number, error: () => Error) {
    this.#killAll = killAll;
    this.#reportMs = reportMs;
    this.#error = error;
    this.#late.promise.catch(() => {});
  }

  begin(): void {
    this.#timer ??= atDeadline(Date.now() + this.#reportMs, () => this.#late.reject(this.#error()));
    this.done = this.#killAll();
    this.done.catch(this.#late.reject);
  }

  /** What `work` comes to. @throws Error when the killing is late or fails. */
  async unlessLate<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([work, this.#late.promise]);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}
