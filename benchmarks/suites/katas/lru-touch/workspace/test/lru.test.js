import assert from 'node:assert/strict';
import test from 'node:test';
import { LruCache } from '../src/lru.js';

test('gives back what was set', () => {
  const cache = new LruCache(2).set('a', 1);
  assert.equal(cache.get('a'), 1);
  assert.equal(cache.get('b'), undefined);
});

test('drops the oldest entry when full', () => {
  const cache = new LruCache(2).set('a', 1).set('b', 2).set('c', 3);
  assert.deepEqual(cache.keys(), ['b', 'c']);
});

test('refuses a limit of zero', () => {
  assert.throws(() => new LruCache(0), RangeError);
});
