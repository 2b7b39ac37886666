import assert from 'node:assert/strict';
import test from 'node:test';
import { convert } from '../src/units.js';

test('water boils at 212 degrees Fahrenheit', () => {
  assert.equal(convert(100, 'C', 'F'), 212);
});

test('and freezes at 0 degrees Celsius', () => {
  assert.ok(Math.abs(convert(32, 'F', 'C')) < 1e-9);
});

test('minus forty is the same on both scales', () => {
  assert.equal(convert(-40, 'F', 'C'), -40);
});

test('a degree Rankine is a degree Fahrenheit from absolute zero', () => {
  assert.equal(convert(0, 'R', 'F'), -459.67);
});

test('other kinds are as before', () => {
  assert.equal(convert(2, 'kWh', 'MJ'), 7.2);
  assert.equal(convert(1, 'mi', 'km'), 1.609344);
});
