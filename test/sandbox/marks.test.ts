import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withoutMark } from '#sandbox/marks.ts';

const MARK = 'abab-c';

function read(chunks: readonly string[]) {
  let passed = '';
  let found = 0;
  const stream = withoutMark(Buffer.from(MARK), {
    pass: (content) => {
      passed += Buffer.from(content).toString('latin1');
    },
    found: () => {
      found += 1;
    },
  });
  for (const chunk of chunks) stream.write(Buffer.from(chunk, 'latin1'));
  stream.end();
  return { passed, found };
}

test('a mark is taken out of a stream and told of, wherever it is', () => {
  expect(read([`one${MARK}`])).toEqual({ passed: 'one', found: 1 });
  expect(read([`${MARK}two`, `${MARK}${MARK}`])).toEqual({ passed: 'two', found: 3 });
  expect(read(['oneab', 'a', 'b-', 'ctwo'])).toEqual({ passed: 'onetwo', found: 1 });
  expect(read(['abab-', 'abab-c'])).toEqual({ passed: 'abab-', found: 1 });
});

test('everything else passes as it is, however it is cut into chunks', () => {
  const piece = fc.stringMatching(/^[abc-]{0,12}$/);
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.constant(MARK)), { maxLength: 8 }), (chunks) => {
      const parts = chunks.join('').split(MARK);
      expect(read(chunks)).toEqual({ passed: parts.join(''), found: parts.length - 1 });
    }),
    { seed: 5 },
  );
});
