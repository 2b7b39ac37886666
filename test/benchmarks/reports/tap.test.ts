import { expect, test } from 'vitest';
import { parseTap } from '#benchmarks/reports/tap.ts';

const RECORDED = `ok 1 - fake
TAP version 13
# Subtest: one
ok 1 - one
  ---
  duration_ms: 2.13974
  type: 'test'
  ...
# Subtest: two \\# hash \\\\ back
not ok 2 - two \\# hash \\\\ back
  ---
  duration_ms: 1.260867
  type: 'test'
  failureType: 'testCodeFailure'
  error: |-
    Expected values to be strictly equal:
    ok 9 - inside the diagnosis
    1 !== 2

  code: 'ERR_ASSERTION'
  ...
# Subtest: skip
ok 3 - skip # SKIP why
  ---
  duration_ms: 0.167518
  type: 'test'
  ...
# Subtest: todo
not ok 4 - todo # TODO
  ---
  duration_ms: 0.351962
  ...
# Subtest: group
    # Subtest: one
    ok 1 - one
      ---
      duration_ms: 0.257689
      ...
    # Subtest: inner fail
    not ok 2 - inner fail
      ---
      duration_ms: 0.690166
      error: 'x'
      ...
    1..2
not ok 5 - group
  ---
  duration_ms: 1.502132
  type: 'suite'
  ...
1..5
# tests 6
# pass 2
# fail 2
`;

test('reads what node --test prints, with nested names joined and escapes undone', () => {
  expect([...parseTap(RECORDED)]).toEqual([
    ['fake', 'passed'],
    ['one', 'passed'],
    ['two # hash \\ back', 'failed'],
    ['skip', 'skipped'],
    ['todo', 'skipped'],
    ['group > one', 'passed'],
    ['group > inner fail', 'failed'],
    ['group', 'failed'],
  ]);
});

test('a rule of dashes that a program prints hides no result', () => {
  const report = parseTap('ok 1 - a\n---\nok 2 - b\ntext\n  ---\nok 3 - c\n  ---\n  duration_ms: 1\n  ...\nok 4 - d\n');
  expect([...report.keys()]).toEqual(['a', 'b', 'c', 'd']);
});

test('of two results of one name the worse counts, in either order', () => {
  expect(parseTap('ok 1 - a\nnot ok 2 - a\n').get('a')).toBe('failed');
  expect(parseTap('not ok 1 - a\nok 2 - a\n').get('a')).toBe('failed');
  expect(parseTap('ok 1 - a # SKIP\nok 2 - a\n').get('a')).toBe('skipped');
});

test('reads Windows line ends, colours and points without a description', () => {
  expect([...parseTap('\u001b[32mok 1 - green\u001b[0m\r\nok 2\r\n')]).toEqual([
    ['green', 'passed'],
    ['', 'passed'],
  ]);
});

test('a hash inside a name is no directive', () => {
  expect([...parseTap('not ok 1 - issue \\# TODO list\n')]).toEqual([['issue # TODO list', 'failed']]);
});

test('text without TAP reports nothing', () => {
  expect(parseTap('Segmentation fault (core dumped)\nnotok 1 - x\nok one - y\n').size).toBe(0);
});
