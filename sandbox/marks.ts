import { concat, release } from './bytes.ts';

/** A stream in which a mark tells that its program has ended. */
export interface MarkedStream {
  write(chunk: Uint8Array): void;
  /** Passes on what was held back because it could have been the beginning of a mark. */
  end(): void;
}

/** Passes on everything but the mark, however the stream is cut into chunks, and tells each time that the mark comes by. */
export function withoutMark(
  mark: Uint8Array,
  { pass, found }: { pass: (content: Uint8Array) => void; found: () => void },
): MarkedStream {
  let held: Uint8Array = new Uint8Array(0);
  return {
    write(chunk) {
      const whole = concat([held, chunk]);
      let from = 0;
      for (let at = indexOf(whole, mark, from); at >= 0; at = indexOf(whole, mark, from)) {
        pass(whole.subarray(from, at));
        from = at + mark.length;
        found();
      }
      const until = Math.max(from, whole.length - mark.length + 1);
      pass(whole.subarray(from, until));
      held = whole.slice(until);
      release(whole);
    },
    end() {
      pass(held);
      held = new Uint8Array(0);
    },
  };
}

const indexOf = (bytes: Uint8Array, mark: Uint8Array, from: number): number =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(mark, from);
