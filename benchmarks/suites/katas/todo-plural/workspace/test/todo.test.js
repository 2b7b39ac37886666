import assert from 'node:assert/strict';
import test from 'node:test';
import { run } from '../src/main.js';

const items = [
  { id: 1, title: 'water the plants', isDone: false },
  { id: 2, title: 'call Ada', isDone: false },
];

test('lists what is to do', () => {
  assert.equal(run([], items).output, '[ ] 1 water the plants\n[ ] 2 call Ada\n2 items left\n');
});

test('adds an item with the next id', () => {
  assert.deepEqual(run(['add', 'buy', 'milk'], items).items.at(-1), { id: 3, title: 'buy milk', isDone: false });
});

test('shows what is done on request', () => {
  assert.match(run(['list', '--all'], [{ id: 1, title: 'a', isDone: true }]).output, /^\[x\] 1 a\n/);
});

test('moves an item', () => {
  assert.deepEqual(run(['move', '2', '1'], items).items.map((item) => item.id), [2, 1]);
});

test('unknown commands are named', () => {
  assert.equal(run(['fly'], items).output, 'unknown command: fly\n');
});
