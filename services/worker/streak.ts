const REST_AFTER = 3;
const FIRST_REST_MS = 30_000;
const LONGEST_REST_MS = 300_000;

/**
 * Failures of the harness in a row on one worker. After some it rests, ever longer, and then tries again: what fails here would
 * fail at one job after the other.
 */
export class Streak {
  readonly #restAfter: number;
  readonly #clock: () => number;
  #failures = 0;
  #restsUntilMs = 0;
  #reason = '';

  constructor(restAfter = REST_AFTER, clock: () => number = () => performance.now()) {
    this.#restAfter = restAfter;
    this.#clock = clock;
  }

  failed(reason: string): void {
    this.#failures += 1;
    this.#reason = reason;
    if (this.#failures < this.#restAfter) return;
    const restMs = Math.min(FIRST_REST_MS * 2 ** (this.#failures - this.#restAfter), LONGEST_REST_MS);
    this.#restsUntilMs = this.#clock() + restMs;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#restsUntilMs = 0;
  }

  /** Why it takes no jobs for now; null when it takes them. */
  rests(): string | null {
    if (this.#clock() >= this.#restsUntilMs) return null;
    return `the last ${this.#failures} jobs failed here, so it waits a while; the last: ${this.#reason}`;
  }
}
