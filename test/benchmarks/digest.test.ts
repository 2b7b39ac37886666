import { expect, test } from 'vitest';
import { digestOf } from '#benchmarks/digest.ts';
import type { Task } from '#benchmarks/schema.ts';
import { aFile, aTask } from './a-task.ts';

const two = [aFile('a.js', '1\n'), aFile('b.js', '2\n')];
const base = digestOf([aTask({ workspace: two })]);

test('is a SHA-256 in hexadecimal digits', () => {
  expect(base).toMatch(/^[0-9a-f]{64}$/);
});

test('does not depend on the order of tasks, files, names or variables, nor on titles', () => {
  const test = { ...aTask().test, env: { A: '1', B: '2' } };
  const same = aTask({ workspace: two.toReversed(), passToPass: ['older', 'old'], title: 'Another', test });
  expect(digestOf([same])).toBe(base);
  const [first, second] = [aTask({ id: 'x' }), aTask({ id: 'y' })];
  expect(digestOf([first, second])).toBe(digestOf([second, first]));
});

test('depends on every need of a task that has GPUs, and on none of one without', () => {
  const digest = (resources: Task['resources']) => digestOf([aTask({ workspace: two, resources })]);
  expect(digest({ gpus: 0, gpuMemoryGiB: 24, gpuModel: 'H100' })).toBe(base);
  const digests = [{}, { gpuMemoryGiB: 24 }, { gpuMemoryGiB: 80 }, { gpuModel: 'H100' }].map((more) =>
    digest({ gpus: 1, ...more }),
  );
  expect(new Set([base, digest({ gpus: 2 }), ...digests]).size).toBe(6);
});

const changes: [string, Partial<Task>][] = [
  ['id', { id: 'b' }],
  ['image', { image: 'clade/base:2' }],
  ['command', { test: { ...aTask().test, command: ['node', '--test', '.'] } }],
  ['report', { test: { ...aTask().test, report: 'exit-code' } }],
  ['time limit', { test: { ...aTask().test, timeoutMs: 2000 } }],
  ['environment', { test: { ...aTask().test, env: {} } }],
  ['failToPass', { failToPass: [] }],
  ['passToPass', { passToPass: ['old'] }],
  ['a test that moves from one list to the other', { failToPass: ['new', 'old'], passToPass: ['older'] }],
  ['protected', { protected: [] }],
  ['solutionPaths', { solutionPaths: ['a.js'] }],
  ['hints', { hints: ['look'] }],
  ['abilities', { abilities: ['search'] }],
  ['GPUs', { resources: { gpus: 1 } }],
  ['instruction', { instruction: 'Do it well.' }],
  ['a byte of the workspace', { workspace: [two[0]!, aFile('b.js', '3\n')] }],
  ['a name in the workspace', { workspace: [two[0]!, aFile('c.js', '2\n')] }],
  ['a mode in the workspace', { workspace: [two[0]!, aFile('b.js', '2\n', true)] }],
  ['a hidden test', { hiddenTests: [] }],
  ['the reference patch', { referencePatch: '' }],
];
test.each(changes)('changes with %s', (_, change) => {
  expect(digestOf([aTask({ workspace: two, ...change })])).not.toBe(base);
});
