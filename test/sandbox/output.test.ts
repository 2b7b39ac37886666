import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keepOutput } from '#sandbox/output.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('kept output', () => {
  test('is all of it, when it fits', () => {
    const kept = keepOutput(10);
    for (const part of ['01', '', '234', '56789']) kept.write(Buffer.from(part));
    expect({ ...kept.output(), bytes: text(kept.output().bytes) }).toEqual({
      bytes: '0123456789',
      totalBytes: 10,
      cut: false,
    });
  });

  test('says between its first and its last half how much is missing', () => {
    const kept = keepOutput(7);
    for (const part of ['0123456789', 'abc', 'def', 'g']) kept.write(Buffer.from(part));
    expect(text(kept.output().bytes)).toBe('0123\n[... 10 bytes cut ...]\nefg');
    expect(kept.output()).toMatchObject({ totalBytes: 17, cut: true });
  });

  test('does not depend on how it was written in pieces', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
    fc.assert(
      fc.property(pieces, fc.integer({ min: 0, max: 60 }), (chunks, maxBytes) => {
        const inPieces = keepOutput(maxBytes);
        for (const chunk of chunks) inPieces.write(chunk);
        const atOnce = keepOutput(maxBytes);
        atOnce.write(Buffer.concat(chunks));
        expect(Buffer.from(inPieces.output().bytes)).toEqual(Buffer.from(atOnce.output().bytes));
        expect(inPieces.output().totalBytes).toBe(atOnce.output().totalBytes);
      }),
    );
  });

  test('keeps no more than it was told to, however much there is', () => {
    const kept = keepOutput(1000);
    const chunk = new Uint8Array(65_536);
    for (let written = 0; written < 1000; written++) kept.write(chunk);
    expect(kept.output().bytes.length).toBeLessThan(1050);
    expect(kept.output().totalBytes).toBe(65_536_000);
  });
});
