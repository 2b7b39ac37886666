import assert from 'node:assert/strict';
import test from 'node:test';
import { outline } from '../src/main.js';

test('two quotes inside a quoted name are one', () => {
  assert.deepEqual(outline('SELECT "size 5"" disk" FROM parts'), ['"size 5"" disk" <- parts']);
});

test('a quoted name may end in a quote', () => {
  assert.deepEqual(outline('SELECT "19""" AS inches FROM "racks"'), ['"19""" as inches <- racks']);
});

test('a name that is only opened is an error', () => {
  assert.throws(() => outline('SELECT "a"" FROM b'), /quoted name without end at offset 7/);
});

test('quotes in strings are left alone', () => {
  assert.deepEqual(outline("SELECT a FROM b WHERE c = 'x\"\"y'"), ['a <- b']);
});
