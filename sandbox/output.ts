import { concat } from './bytes.ts';
import type { Output } from './sandbox.ts';

/** Keeps the beginning and the end of what a program prints, in bounded memory however much that is. */
export interface OutputKeeper {
  write(chunk: Uint8Array): void;
  /** What was kept so far; more may be written afterwards. */
  output(): Output;
}

/** @param maxBytes kept of what is written: the first half of it and the last half. */
export function keepOutput(maxBytes: number): OutputKeeper {
  const head = new Head(Math.ceil(maxBytes / 2));
  const tail = new Tail(Math.floor(maxBytes / 2));
  let totalBytes = 0;
  return {
    write(chunk) {
      totalBytes += chunk.length;
      tail.write(head.write(chunk));
    },
    output() {
      const cutBytes = totalBytes - head.length - tail.length;
      const parts = cutBytes > 0 ? [head.bytes(), cutLine(cutBytes), tail.bytes()] : [head.bytes(), tail.bytes()];
      return { bytes: concat(parts), totalBytes, cut: cutBytes > 0 };
    },
  };
}

const cutLine = (cutBytes: number): Uint8Array => new TextEncoder().encode(`\n[... ${cutBytes} bytes cut ...]\n`);

/** The first `capacity` bytes. Its memory grows with what is written, so that a quiet program costs nothing. */
class Head {
  length = 0;
  readonly #capacity: number;
  #buffer = new Uint8Array(0);

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Takes what fits, gives back the rest. */
  write(chunk: Uint8Array): Uint8Array {
    const fits = Math.min(chunk.length, this.#capacity - this.length);
    this.#reserve(this.length + fits);
    this.#buffer.set(chunk.subarray(0, fits), this.length);
    this.length += fits;
    return chunk.subarray(fits);
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  #reserve(needed: number): void {
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.min(this.#capacity, Math.max(needed, 2 * this.#buffer.length)));
    larger.set(this.bytes());
    this.#buffer = larger;
  }
}

/** The last `capacity` bytes, in a ring that is made when the first byte arrives. */
class Tail {
  length = 0;
  readonly #capacity: number;
  #ring: Uint8Array | undefined;
  #next = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  write(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#capacity === 0) return;
    this.#ring ??= new Uint8Array(this.#capacity);
    const last = chunk.subarray(Math.max(0, chunk.length - this.#capacity));
    const untilEnd = last.subarray(0, this.#capacity - this.#next);
    this.#ring.set(untilEnd, this.#next);
    this.#ring.set(last.subarray(untilEnd.length), 0);
    this.#next = (this.#next + last.length) % this.#capacity;
    this.length = Math.min(this.#capacity, this.length + last.length);
  }

  bytes(): Uint8Array {
    if (this.#ring === undefined) return new Uint8Array(0);
    if (this.length < this.#capacity) return this.#ring.subarray(0, this.length);
    return concat([this.#ring.subarray(this.#next), this.#ring.subarray(0, this.#next)]);
  }
}
