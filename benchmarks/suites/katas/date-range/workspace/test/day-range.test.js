import assert from 'node:assert/strict';
import test from 'node:test';
import { contains, dayRange } from '../src/day-range.js';

test('a range that ends before it begins is empty', () => {
  assert.deepEqual(dayRange('2024-03-02', '2024-03-01'), []);
});

test('starts with the first day', () => {
  assert.equal(dayRange('2024-02-27', '2024-03-02')[0], '2024-02-27');
});

test('both ends are contained', () => {
  assert.ok(contains('2024-03-01', '2024-03-02', '2024-03-02'));
});

test('refuses what is not a day', () => {
  assert.throws(() => dayRange('today', '2024-03-01'), /not a day: today/);
});
