import { expect, it } from 'vitest';
import { plainLine, plainText } from '#services/cli/plain-text.ts';

it('keeps text as it is, with tabs, newlines and letters of any language', () => {
  expect(plainText('a\tb\nc äöü 漢字 🙂')).toBe('a\tb\nc äöü 漢字 🙂');
});

it('takes out what would move the cursor, colour, clear, or change the title', () => {
  expect(plainText('a\u001b[31mred\u001b[0m\u001b[2Jb')).toBe('aredb');
  expect(plainText('x\u001b]0;title\u0007y\u001b]8;;http://evil\u001b\\z')).toBe('xyz');
  expect(plainText('x\u009b31my\u001bcz\u0008\u0007\r\u0000')).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
});

it('takes out what would reorder or hide text', () => {
  expect(plainText('a\u202eb\u2066c\u200bd\ufeff')).toBe('abcd');
});

it('a line is one line of at most the given width', () => {
  expect(plainLine('a\nb\u001b[1m\t c', 80)).toBe('a b c');
  expect(plainLine('x'.repeat(100), 10)).toBe(`${'x'.repeat(9)}…`);
});
