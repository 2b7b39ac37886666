import assert from 'node:assert/strict';
import test from 'node:test';
import { convert, describe, symbolsOf } from '../src/units.js';

test('converts lengths', () => {
  assert.equal(convert(1, 'in', 'cm'), 2.54);
});

test('refuses to convert between kinds', () => {
  assert.throws(() => convert(1, 'm', 'kg'), /cannot convert metre \(length\) into kilogram \(mass\)/);
});

test('knows the plural', () => {
  assert.equal(describe(2, 'ft'), '2 feet');
});

test('lists the units of a kind', () => {
  assert.deepEqual(symbolsOf('temperature'), ['K', 'C', 'F', 'R']);
});

test('degrees Celsius become kelvin', () => {
  assert.equal(convert(20, 'C', 'K'), 293.15);
});

test('kelvin become degrees Celsius', () => {
  assert.equal(convert(293.15, 'K', 'C'), 20);
});
