import assert from 'node:assert/strict';
import test from 'node:test';
import { countries } from '../src/countries.js';

test('twenty-seven countries are known', () => {
  assert.equal(Object.keys(countries).length, 27);
});

test('every country has a name and a tax', () => {
  for (const module of Object.values(countries)) {
    assert.equal(typeof module.country, 'string');
    assert.ok(module.tax(10_000) > 0);
  }
});

test('whole amounts are exact', () => {
  assert.equal(countries.de.tax(10_000), 1_900);
});
