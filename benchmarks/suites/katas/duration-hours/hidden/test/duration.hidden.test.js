import assert from 'node:assert/strict';
import test from 'node:test';
import { formatDuration, parseDuration } from '../src/duration.js';

test('from one hour on there are hours', () => {
  assert.equal(formatDuration(3600), '1:00:00');
});

test('minutes after hours have two digits', () => {
  assert.equal(formatDuration(3723.9), '1:02:03');
});

test('an hour before zero has a sign', () => {
  assert.equal(formatDuration(-7325), '-2:02:05');
});

test('below one hour nothing changes', () => {
  assert.equal(formatDuration(3599), '59:59');
});

test('what is shown can be read back', () => {
  for (const seconds of [0, 59, 60, 3599, 3600, 86_399, 360_000]) assert.equal(parseDuration(formatDuration(seconds)), seconds);
});
