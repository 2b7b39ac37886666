import assert from 'node:assert/strict';
import test from 'node:test';
import { formatDuration, parseDuration } from '../src/duration.js';

test('seconds have two digits', () => {
  assert.equal(formatDuration(65), '1:05');
});

test('negative durations keep their sign', () => {
  assert.equal(formatDuration(-5), '-0:05');
});

test('reads hours, minutes and seconds', () => {
  assert.equal(parseDuration('1:02:03'), 3723);
});
