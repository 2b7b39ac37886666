/** Waits that can be cut short: by whoever has news for control, and once by the signal. */
export class Pulse {
  #wake: () => void = () => {};
  #isDue = false;

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.hurry(), { once: true });
  }

  /** Ends the wait, or the next one if nobody waits. */
  hurry(): void {
    this.#isDue = true;
    this.#wake();
  }

  async wait(ms: number): Promise<void> {
    if (!this.#isDue)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    this.#isDue = false;
  }
}
