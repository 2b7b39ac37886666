import { describe, expect, it } from 'vitest';
import { cutMiddle, firstLine, joinSections, printedText, withoutControls } from '#services/evaluator/transcript.ts';

describe('transcripts', () => {
  it('lose terminal escapes and control characters, but no lines', () => {
    expect(withoutControls('\x1b[1;31mred\x1b[0m\tend\r\nnext\rlast\0\x07\x9b')).toBe('red\tend\nnext\nlast');
  });

  it('show invalid UTF-8 as replacement characters', () => {
    expect(printedText({ bytes: Uint8Array.of(0x68, 0xff, 0x69) })).toBe('h\ufffdi');
  });

  it('are cut in the middle, with the number of characters that are missing', () => {
    expect(cutMiddle('short', 5)).toBe('short');
    const cut = cutMiddle(`${'a'.repeat(500)}${'z'.repeat(500)}`, 90);
    expect(cut).toBe(`${'a'.repeat(30)}\n[... 910 characters left out ...]\n${'z'.repeat(60)}`);
  });

  it('are never cut through a character', () => {
    for (let size = 3; size < 12; size++) expect(cutMiddle('😀'.repeat(20), size).isWellFormed()).toBe(true);
    expect(firstLine(`${'😀'.repeat(20)}`, 10).isWellFormed()).toBe(true);
  });

  it('join the sections that printed something, each with its share of the room', () => {
    const joined = joinSections(
      [
        { title: 'a', text: 'x'.repeat(1000) },
        { title: 'b', text: ' \n' },
        { title: 'c', text: 'end\n' },
      ],
      200,
    );
    expect(joined).toMatch(/^=== a ===\nx+\n\[\.\.\. 900 characters left out \.\.\.\]\nx+\n\n=== c ===\nend\n$/);
  });

  it('are told in one line where there is room for one', () => {
    expect(firstLine('\n  first\nsecond')).toBe('first');
    expect(firstLine('abcdef', 4)).toBe('abc…');
  });
});
