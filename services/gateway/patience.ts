/** How long a provider may take. */
export interface TimeLimits {
  /** From sending a request to the end of its reply. */
  totalMs: number;
  /** Between two pieces of a reply that has begun. */
  idleMs: number;
}

export const DEFAULT_TIME_LIMITS: TimeLimits = { totalMs: 20 * 60_000, idleMs: 5 * 60_000 };

/** The provider took longer than it may. */
export class TookTooLong extends Error {
  override name = 'TookTooLong';
}

/** Runs out, by aborting its signal, when the provider takes too long or the gateway closes. */
export class Patience implements Disposable {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #limits: TimeLimits;
  readonly #total: NodeJS.Timeout;
  #idle: NodeJS.Timeout | undefined;

  constructor(limits: TimeLimits, closing: AbortSignal) {
    this.#limits = limits;
    this.signal = AbortSignal.any([this.#controller.signal, closing]);
    this.#total = this.#runOutAfter(
      limits.totalMs,
      `The provider did not finish its answer within ${limits.totalMs} ms.`,
    );
  }

  /** A piece of the reply has come. */
  readonly touch = (): void => {
    if (this.#idle !== undefined) {
      this.#idle.refresh();
      return;
    }
    const { idleMs } = this.#limits;
    this.#idle = this.#runOutAfter(idleMs, `The provider sent nothing for ${idleMs} ms in the middle of its answer.`);
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#total);
    clearTimeout(this.#idle);
  }

  #runOutAfter(ms: number, message: string): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(new TookTooLong(message)), ms);
  }
}
