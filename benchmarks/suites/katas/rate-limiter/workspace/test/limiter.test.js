import assert from 'node:assert/strict';
import test from 'node:test';
import { Bucket } from '../src/bucket.js';
import { Limiter } from '../src/limiter.js';

test('a full bucket gives its capacity at once', () => {
  const bucket = new Bucket({ capacity: 2, perSecond: 1, nowMs: 0 });
  assert.deepEqual([bucket.take(1, 0), bucket.take(1, 0), bucket.take(1, 0)], [true, true, false]);
});

test('clients do not share a bucket', () => {
  const limiter = new Limiter({ capacity: 1, perSecond: 1 });
  assert.equal(limiter.check('a', 0).allowed, true);
  assert.equal(limiter.check('b', 0).allowed, true);
  assert.equal(limiter.clients, 2);
});

test('asking often does not slow the filling down', () => {
  const bucket = new Bucket({ capacity: 1, perSecond: 1, nowMs: 0 });
  bucket.take(1, 0);
  for (let nowMs = 100; nowMs < 1000; nowMs += 100) bucket.take(1, nowMs);
  assert.equal(bucket.take(1, 1000), true);
});

test('a refused client that waits as told is let through', () => {
  const limiter = new Limiter({ capacity: 1, perSecond: 0.4 });
  limiter.check('a', 0);
  const { retryAfterSeconds } = limiter.check('a', 100);
  assert.equal(retryAfterSeconds, 3);
  assert.equal(limiter.check('a', 100 + retryAfterSeconds * 1000).allowed, true);
});
