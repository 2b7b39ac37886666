import assert from 'node:assert/strict';
import test from 'node:test';
import { Bucket } from '../src/bucket.js';
import { Limiter } from '../src/limiter.js';

test('fractions of a token add up', () => {
  const bucket = new Bucket({ capacity: 5, perSecond: 3, nowMs: 0 });
  bucket.take(5, 0);
  let taken = 0;
  for (let nowMs = 50; nowMs <= 10_000; nowMs += 50) if (bucket.take(1, nowMs)) taken += 1;
  assert.equal(taken, 30);
});

test('the wait is never too short', () => {
  const bucket = new Bucket({ capacity: 1, perSecond: 3, nowMs: 0 });
  bucket.take(1, 0);
  const waitMs = bucket.waitMs(1, 0);
  assert.equal(waitMs, 334);
  assert.equal(bucket.take(1, waitMs), true);
});

test('seconds to wait are whole and at least one', () => {
  const limiter = new Limiter({ capacity: 1, perSecond: 10 });
  limiter.check('a', 0);
  assert.deepEqual(limiter.check('a', 1), { allowed: false, retryAfterSeconds: 1 });
});

test('a bucket never holds more than its capacity', () => {
  const bucket = new Bucket({ capacity: 2, perSecond: 100, nowMs: 0 });
  assert.deepEqual([bucket.take(2, 60_000), bucket.take(1, 60_000)], [true, false]);
});
