import assert from 'node:assert/strict';
import test from 'node:test';
import { Bus } from '../src/bus.js';
import { pipe } from '../src/pipe.js';
import { Replay } from '../src/replay.js';

test('listeners are called in order', () => {
  const bus = new Bus();
  const seen = [];
  bus.on('a', (event) => seen.push(`1 ${event}`));
  bus.on('a', (event) => seen.push(`2 ${event}`));
  assert.equal(bus.emit('a', 'x'), 2);
  assert.deepEqual(seen, ['1 x', '2 x']);
});

test('once is once', () => {
  const bus = new Bus();
  const seen = [];
  bus.once('a', (event) => seen.push(event));
  bus.emit('a', 1);
  bus.emit('a', 2);
  assert.deepEqual(seen, [1]);
});

test('pipes pass events on until closed', () => {
  const [from, to] = [new Bus(), new Bus()];
  const seen = [];
  to.on('a', (event) => seen.push(event));
  const close = pipe(from, to, ['a']);
  from.emit('a', 1);
  close();
  from.emit('a', 2);
  assert.deepEqual(seen, [1]);
});

test('late listeners get the last events', () => {
  const bus = new Bus();
  const replay = new Replay(bus, 'a', 2);
  for (const event of [1, 2, 3]) bus.emit('a', event);
  const seen = [];
  replay.on((event) => seen.push(event));
  assert.deepEqual(seen, [2, 3]);
});
