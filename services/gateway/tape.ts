/**
 * A reply on its way: written as the provider sends it, read as the client takes it. The writer never waits for the
 * reader, so that a reply is read to its end and paid for, however slow or dead the client is.
 */
export class Tape {
  readonly #pieces: string[] = [];
  #ended = false;
  #change = Promise.withResolvers<void>();

  write(text: string): void {
    this.#pieces.push(text);
    this.#announce();
  }

  end(): void {
    this.#ended = true;
    this.#announce();
  }

  /** Resolves with the first piece; never, when there is none. */
  async started(): Promise<void> {
    while (this.#pieces.length === 0) await this.#change.promise;
  }

  read(): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    let next = 0;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          while (next === this.#pieces.length && !this.#ended) await this.#change.promise;
          if (next === this.#pieces.length) return controller.close();
          const pieces = this.#pieces.slice(next);
          next += pieces.length;
          controller.enqueue(encoder.encode(pieces.join('')));
        },
      },
      { highWaterMark: 0 },
    );
  }

  #announce(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}
