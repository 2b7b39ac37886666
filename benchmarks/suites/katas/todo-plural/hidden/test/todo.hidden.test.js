import assert from 'node:assert/strict';
import test from 'node:test';
import { run } from '../src/main.js';

const two = [
  { id: 1, title: 'a', isDone: false },
  { id: 2, title: 'b', isDone: false },
];

test('one item is an item', () => {
  assert.match(run(['done', '1'], two).output, /^1 item left, 1 done\n$/m);
});

test('an empty list has nothing left', () => {
  assert.equal(run([], []).output, 'nothing left\n');
});

test('when all is done, nothing is left', () => {
  assert.equal(run(['done', '2'], [{ id: 1, title: 'a', isDone: true }, two[1]]).output, 'nothing left, 2 done\n');
});

test('several items stay items', () => {
  assert.match(run([], two).output, /\n2 items left\n$/);
});
