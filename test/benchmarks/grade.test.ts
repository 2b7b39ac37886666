import { describe, expect, test } from 'vitest';
import { grade } from '#benchmarks/grade.ts';
import type { ReportForm, TestRun } from '#benchmarks/schema.ts';
import { aTask } from './a-task.ts';

function task(report: ReportForm, names: { failToPass?: string[]; passToPass?: string[] } = {}) {
  const test = { command: ['t'], report, timeoutMs: 1000, env: {} };
  return aTask({ test, failToPass: names.failToPass ?? [], passToPass: names.passToPass ?? [] });
}

function run(exitCode: number | null, stdout = '', more: Partial<TestRun> = {}): TestRun {
  return { exitCode, timedOut: false, stdout, stderr: '', ...more };
}

const named = task('tap', { failToPass: ['new'], passToPass: ['old'] });

describe('with named tests', () => {
  const table: [string, number | null, string, boolean][] = [
    ['all named tests passed', 0, 'ok 1 - new\nok 2 - old\n', true],
    ['a fail-to-pass test failed', 1, 'not ok 1 - new\nok 2 - old\n', false],
    ['a fail-to-pass test failed, but the program says 0', 0, 'not ok 1 - new\nok 2 - old\n', false],
    ['a pass-to-pass test broke', 1, 'ok 1 - new\nnot ok 2 - old\n', false],
    ['a fail-to-pass test was skipped', 0, 'ok 1 - new # SKIP\nok 2 - old\n', false],
    ['a pass-to-pass test was skipped', 0, 'ok 1 - new\nok 2 - old # SKIP\n', true],
    ['a fail-to-pass test is missing', 0, 'ok 1 - old\n', false],
    ['a pass-to-pass test is missing', 0, 'ok 1 - new\n', false],
    ['the program ended early with 0', 0, '', false],
    ['something broke after the tests', 1, 'ok 1 - new\nok 2 - old\n', false],
    ['a signal ended it after the tests', 139, 'ok 1 - new\nok 2 - old\n', false],
    ['a test that nobody named explains the exit code', 1, 'ok 1 - new\nok 2 - old\nnot ok 3 - always red\n', true],
    ['it was ended from outside', null, 'ok 1 - new\nok 2 - old\n', false],
  ];
  test.each(table)('%s', (_, exitCode, stdout, resolved) => {
    const verdict = grade(named, run(exitCode, stdout));
    expect(verdict.resolved).toBe(resolved);
    expect(verdict.y).toBe(resolved ? 1 : 0);
    expect(verdict.reason).toMatch(/^[^\n]+$/);
  });
});

test('every named test is listed once, as passed or failed', () => {
  const verdict = grade(
    task('tap', { failToPass: ['a', 'b'], passToPass: ['c', 'd'] }),
    run(1, 'ok 1 - b\nok 2 - c\n'),
  );
  expect(verdict.failToPass).toEqual({ passed: ['b'], failed: ['a'] });
  expect(verdict.passToPass).toEqual({ passed: ['c'], failed: ['d'] });
  expect(verdict.reason).toBe('2 of 4 tests did not pass, first: a');
});

describe('without named tests', () => {
  const table: [string, number, string, boolean][] = [
    ['everything passed', 0, 'ok 1 - a\n', true],
    ['something was skipped', 0, 'ok 1 - a\nok 2 - b # SKIP\n', true],
    ['everything was skipped', 0, 'ok 1 - a # SKIP\n', false],
    ['nothing ran', 0, '', false],
    ['something failed', 1, 'ok 1 - a\nnot ok 2 - b\n', false],
    ['something failed, but the program says 0', 0, 'ok 1 - a\nnot ok 2 - b\n', false],
    ['everything passed, but the program says 1', 1, 'ok 1 - a\n', false],
  ];
  test.each(table)('%s', (_, exitCode, stdout, resolved) => {
    expect(grade(task('tap'), run(exitCode, stdout)).resolved).toBe(resolved);
  });
});

test('by exit code alone, 0 resolves and every named test shares the verdict', () => {
  const byCode = task('exit-code', { failToPass: ['a'], passToPass: ['b'] });
  expect(grade(byCode, run(0, 'not ok 1 - a'))).toMatchObject({ resolved: true, failToPass: { passed: ['a'] } });
  expect(grade(byCode, run(2))).toMatchObject({ resolved: false, y: 0, passToPass: { failed: ['b'] } });
  expect(grade(byCode, run(2)).reason).toBe('the tests exited with 2');
});

test('a reward counts, in whole or in part, only after the exit code that the task asks for', () => {
  const left = (exitCode: number, json: string) => run(exitCode, '', { reward: { json, text: null } });
  const any = task({ kind: 'reward', directory: '/r' });
  const zero = task({ kind: 'reward', directory: '/r', rewardedExit: 0 });
  expect(grade(any, left(137, '1'))).toMatchObject({ resolved: true, y: 1 });
  expect(grade(zero, left(0, '1'))).toMatchObject({ resolved: true, y: 1 });
  expect(grade(zero, left(0, '{"reward": 0.5, "speedup": 2}'))).toMatchObject({ resolved: false, y: 0.5 });
  expect(grade(zero, left(137, '1'))).toMatchObject({
    resolved: false,
    y: 0,
    reason: 'the tests exited with 137, and a reward counts only after 0',
  });
});

test('a timeout resolves nothing, whatever was printed before', () => {
  const verdict = grade(named, run(0, 'ok 1 - new\nok 2 - old\n', { timedOut: true }));
  expect(verdict).toMatchObject({ resolved: false, failToPass: { failed: ['new'] }, passToPass: { failed: ['old'] } });
});

test('reports are read from stdout and stderr together', () => {
  const verdict = grade(
    task('jest', { failToPass: ['works'] }),
    run(0, 'noise without line end', { stderr: 'PASS ./a.js\n  ✓ works\n' }),
  );
  expect(verdict.resolved).toBe(true);
});

test.each<[ReportForm, string, string]>([
  ['tap', 'a > b', '# Subtest: a\n    ok 1 - b\nok 1 - a\n'],
  ['junit', 'a > b', '<testcase classname="a" name="b"/>'],
  ['pytest', 'a.py::b', '== short test summary info ==\nPASSED a.py::b\n== 1 passed ==\n'],
  ['jest', 'a > b', 'PASS ./x.js\n  a\n    ✓ b (1 ms)\n'],
])('%s reports are understood', (kind, name, stdout) => {
  expect(grade(task(kind, { failToPass: [name] }), run(0, stdout)).resolved).toBe(true);
});
