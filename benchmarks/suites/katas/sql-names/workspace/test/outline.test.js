import assert from 'node:assert/strict';
import test from 'node:test';
import { scan } from '../src/lex/scan.js';
import { outline } from '../src/main.js';

test('outlines a statement', () => {
  assert.deepEqual(outline('select a, t.b as x from t where a > 1'), ['a, t.b as x <- t']);
});

test('outlines several statements', () => {
  assert.deepEqual(outline('SELECT * FROM a; SELECT b FROM c d;'), ['* <- a', 'b <- c as d']);
});

test('names with blanks are quoted', () => {
  assert.deepEqual(outline('SELECT "first name" FROM people'), ['"first name" <- people']);
});

test('comments are left out', () => {
  assert.deepEqual(scan('1 -- one\n/* two */ 3').map((token) => token.text), ['1', '3']);
});

test('an open string is an error', () => {
  assert.throws(() => scan("SELECT 'a"), /string without end at offset 7/);
});
