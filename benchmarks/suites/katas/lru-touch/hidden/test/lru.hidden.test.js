import assert from 'node:assert/strict';
import test from 'node:test';
import { LruCache } from '../src/lru.js';

test('an entry that was read outlives one that was not', () => {
  const cache = new LruCache(2).set('a', 1).set('b', 2);
  cache.get('a');
  cache.set('c', 3);
  assert.deepEqual(cache.keys(), ['a', 'c']);
});

test('reading an entry whose value is undefined counts as use', () => {
  const cache = new LruCache(2).set('a', undefined).set('b', 2);
  cache.get('a');
  assert.deepEqual(cache.keys(), ['b', 'a']);
});

test('reading what is not there adds nothing', () => {
  const cache = new LruCache(2).set('a', 1);
  cache.get('nope');
  assert.equal(cache.size, 1);
});

test('asking has() is no use', () => {
  const cache = new LruCache(2).set('a', 1).set('b', 2);
  cache.has('a');
  assert.deepEqual(cache.set('c', 3).keys(), ['b', 'c']);
});
