/** A model call and its answer, which is read to the end at once, and read out to whoever listens, from wherever they are. */
export class OpenCall {
  /** Rejects when there was none. */
  readonly answer: Promise<Pick<Response, 'status' | 'headers'>>;
  /** Resolves with the last byte of the answer; rejects when there was none. */
  readonly ended: Promise<void>;
  readonly #gone = new AbortController();
  readonly #broken = Promise.withResolvers<never>();
  readonly #pieces: Uint8Array[] = [];
  readonly #patienceMs: number;
  #patience: NodeJS.Timeout | undefined;
  #listeners = 0;
  #bytes = 0;
  #isOver = false;
  #failure: { reason: unknown } | null = null;
  #change = Promise.withResolvers<void>();

  /** @param patienceMs how long after the last listener has gone the signal of `make` aborts. */
  constructor(make: (signal: AbortSignal) => Promise<Response>, patienceMs: number) {
    this.#patienceMs = patienceMs;
    const made = make(this.#gone.signal);
    this.answer = Promise.race([made, this.#broken.promise]);
    this.ended = made.then(({ body }) => this.#record(body));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whoever waits for it to begin need not: nobody wants it. One that has begun is read to its end all the same. */
  hangUp(): void {
    this.#gone.abort(new Error('The worker hung up.'));
  }

  /** Nobody gets any more of it. */
  breakOff(reason: unknown): void {
    this.#broken.reject(reason);
    this.#failure ??= { reason };
    this.#announce();
  }

  listen(listening: AbortSignal): void {
    clearTimeout(this.#patience);
    this.#listeners += 1;
    const stop = () => {
      this.#listeners -= 1;
      if (this.#listeners === 0) this.#patience = setTimeout(() => this.hangUp(), this.#patienceMs).unref();
    };
    if (listening.aborted) stop();
    else listening.addEventListener('abort', stop, { once: true });
  }

  /** The answer without its first bytes. */
  read(from: number): ReadableStream<Uint8Array> {
    let [next, skip] = [0, from];
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          for (let piece = await this.#piece(next); piece !== null; piece = await this.#piece(next)) {
            next += 1;
            const rest = piece.subarray(skip);
            skip -= piece.length - rest.length;
            if (rest.length > 0) return controller.enqueue(rest);
          }
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** Waits for it; null at the end. */
  async #piece(n: number): Promise<Uint8Array | null> {
    for (;;) {
      const piece = this.#pieces[n];
      if (piece !== undefined) return piece;
      if (this.#failure !== null) throw this.#failure.reason;
      if (this.#isOver) return null;
      await this.#change.promise;
    }
  }

  async #record(body: ReadableStream<Uint8Array> | null): Promise<void> {
    try {
      for await (const piece of body ?? []) {
        this.#pieces.push(piece);
        this.#bytes += piece.length;
        this.#announce();
      }
    } catch (reason) {
      this.#failure ??= { reason };
    }
    this.#isOver = true;
    this.#announce();
  }

  #announce(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
