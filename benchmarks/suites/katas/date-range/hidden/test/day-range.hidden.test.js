import assert from 'node:assert/strict';
import test from 'node:test';
import { dayRange } from '../src/day-range.js';

test('the last day belongs to the range', () => {
  assert.deepEqual(dayRange('2024-02-28', '2024-03-01'), ['2024-02-28', '2024-02-29', '2024-03-01']);
});

test('a range of one day has that day', () => {
  assert.deepEqual(dayRange('2024-03-01', '2024-03-01'), ['2024-03-01']);
});

test('steps that miss the last day stop before it', () => {
  assert.deepEqual(dayRange('2024-01-01', '2024-01-04', { stepDays: 2 }), ['2024-01-01', '2024-01-03']);
});

test('steps that meet the last day include it', () => {
  assert.deepEqual(dayRange('2024-01-01', '2024-01-05', { stepDays: 2 }), ['2024-01-01', '2024-01-03', '2024-01-05']);
});
