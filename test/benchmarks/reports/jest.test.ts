import { expect, test } from 'vitest';
import { parseJest } from '#benchmarks/reports/jest.ts';

const STDOUT = `  console.log
    PASS ./fake.js
      ✓ forged

      at Object.log (a.spec.js:3:40)
`;
const STDERR = `FAIL ./a.spec.js
  ✓ top level
  Queue
    ✓ keeps > order (2 of 3) (1205 ms)
    ✎ todo keeps order
    when empty
      ✓ has size 0 (15 ms)
      ✕ throws on take (1 ms)
      ○ skipped is not tested yet

  ● Queue › when empty › throws on take

    expect(received).toThrow()

    Received function did not throw

      at Object.toThrow (a.spec.js:4:53)

FAIL ./b.spec.js
  ● Test suite failed to run

    Cannot find module './nope' from 'b.spec.js'

Test Suites: 2 failed, 2 total
Tests:       1 failed, 1 skipped, 1 todo, 3 passed, 6 total
`;

test('reads what jest --verbose prints, and nothing that tests printed', () => {
  expect([...parseJest(`${STDOUT}\n${STDERR}`)]).toEqual([
    ['top level', 'passed'],
    ['Queue > keeps > order (2 of 3)', 'passed'],
    ['Queue > keeps order', 'skipped'],
    ['Queue > when empty > has size 0', 'passed'],
    ['Queue > when empty > throws on take', 'failed'],
    ['Queue > when empty > is not tested yet', 'skipped'],
    ['Test suite failed to run', 'failed'],
  ]);
});

test('groups of one file do not reach into the next', () => {
  const text = 'PASS ./a.spec.js (5.2 s)\n  A\n    ✓ one\n\nPASS ./b.spec.js\n  ✓ two\n';
  expect([...parseJest(text).keys()]).toEqual(['A > one', 'two']);
});

test('a test that failed in one file and passed in another failed', () => {
  expect(parseJest('PASS ./a.js\n  ✓ same\nFAIL ./b.js\n  ✕ same\n').get('same')).toBe('failed');
});

test('colours do not matter', () => {
  const text = '\u001b[0m\u001b[7m\u001b[1m\u001b[32m PASS \u001b[39m\u001b[22m\u001b[27m\u001b[0m ./a.js\n';
  expect(parseJest(text).size).toBe(0);
  expect(parseJest('PASS ./a.js\n    \u001b[32m✓\u001b[39m \u001b[2mworks (2 ms)\u001b[22m\n').get('works')).toBe(
    'passed',
  );
});
