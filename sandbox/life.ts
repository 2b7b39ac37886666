import { setTimeout as delay } from 'node:timers/promises';
import { atDeadline, onAbort } from './deadline.ts';
import type { ProgramEnd } from './program.ts';
import { type ExecResult, SandboxGone, SandboxUnavailable } from './sandbox.ts';

/** How long a program that was killed may take to be reported as ended. */
const REPORT_MS = 10_000;

/** What all sandboxes have in common: they are open until they are ended, once and for good, at their deadline at the latest. */
export class Life implements Disposable {
  readonly id: string;
  readonly #deadlineMs: number;
  readonly #deadline: Disposable;
  #ended: string | undefined;

  /** @param atEnd called when the deadline passes; it must not throw. */
  constructor(id: string, deadlineMs: number, atEnd: () => void) {
    this.id = id;
    this.#deadlineMs = deadlineMs;
    this.#deadline = atDeadline(deadlineMs, () => {
      this.end('its deadline has passed');
      atEnd();
    });
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** The first reason given is the one that is told. */
  end(reason: string): void {
    this.#ended ??= reason;
  }

  /** @throws SandboxGone when it has ended. */
  check(): void {
    if (this.#ended !== undefined) throw new SandboxGone(`The sandbox ${this.id} has ended: ${this.#ended}.`);
  }

  /**
   * Runs a program until its own deadline or the sandbox's; `killAll` must make `program` resolve.
   * @throws the signal's reason when aborted; SandboxGone when the sandbox ended for another reason than its deadline.
   */
  async run(
    bounds: { deadlineMs: number; signal?: AbortSignal | undefined },
    program: () => Promise<ProgramEnd>,
    killAll: () => Promise<void>,
  ): Promise<ExecResult> {
    bounds.signal?.throwIfAborted();
    this.check();
    const startedMs = performance.now();
    const unreported = Promise.withResolvers<never>();
    let killing: Promise<void> | undefined;
    let timedOut = false;
    const kill = (): void => {
      killing = killAll();
      killing.then(() => this.#reportBy(unreported.reject)).catch(unreported.reject);
    };
    using _late = atDeadline(Math.min(bounds.deadlineMs, this.#deadlineMs), () => {
      timedOut = true;
      kill();
    });
    using _aborted = onAbort(bounds.signal, kill);
    const end = await Promise.race([program(), unreported.promise]);
    // Not before the killing is over, which would hit the next program.
    await killing;
    bounds.signal?.throwIfAborted();
    if (!timedOut) this.check();
    const durationMs = performance.now() - startedMs;
    return { ...end, exitCode: timedOut ? null : end.exitCode, timedOut, durationMs };
  }

  [Symbol.dispose](): void {
    this.end('it was disposed of');
    this.#deadline[Symbol.dispose]();
  }

  async #reportBy(late: (error: Error) => void): Promise<void> {
    await delay(REPORT_MS, undefined, { ref: false });
    late(new SandboxUnavailable(`The sandbox ${this.id} did not report the end of a program that was killed.`));
  }
}
