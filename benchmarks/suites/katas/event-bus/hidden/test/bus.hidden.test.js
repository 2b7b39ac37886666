import assert from 'node:assert/strict';
import test from 'node:test';
import { Bus } from '../src/bus.js';

test('whoever comes after a once is called', () => {
  const bus = new Bus();
  const seen = [];
  bus.once('a', () => seen.push('once'));
  bus.on('a', () => seen.push('on'));
  bus.emit('a');
  assert.deepEqual(seen, ['once', 'on']);
});

test('several onces in a row are all called', () => {
  const bus = new Bus();
  const seen = [];
  for (const n of [1, 2, 3, 4]) bus.once('a', () => seen.push(n));
  assert.equal(bus.emit('a'), 4);
  assert.deepEqual(seen, [1, 2, 3, 4]);
  assert.equal(bus.emit('a'), 0);
});

test('a listener added by a listener waits for the next event', () => {
  const bus = new Bus();
  const seen = [];
  bus.once('a', () => bus.on('a', (event) => seen.push(event)));
  bus.emit('a', 1);
  bus.emit('a', 2);
  assert.deepEqual(seen, [2]);
});

test('a listener can be removed', () => {
  const bus = new Bus();
  const off = bus.on('a', () => assert.fail('was removed'));
  off();
  assert.equal(bus.emit('a'), 0);
});
