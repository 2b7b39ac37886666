/** All parts, one after the other, in a new array. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/**
 * Frees the memory of a chunk that nobody else has. A program that prints without end makes so many of them that waiting
 * for the garbage collector, which counts only what is in its own heap, would cost some 64 MiB.
 */
export function release({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && byteLength >= 4096) buffer.transfer(0);
}
