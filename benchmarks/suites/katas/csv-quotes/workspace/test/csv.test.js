import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from '../src/parse.js';
import { stringify } from '../src/stringify.js';

test('splits rows and fields', () => {
  assert.deepEqual(parse('a,b\nc,d\n'), [['a', 'b'], ['c', 'd']]);
});

test('keeps separators and line breaks inside quotes', () => {
  assert.deepEqual(parse('"a,b","c\nd"\n'), [['a,b', 'c\nd']]);
});

test('reads a last line without a line break', () => {
  assert.deepEqual(parse('a;b', { separator: ';' }), [['a', 'b']]);
});

test('quotes only what needs it', () => {
  assert.equal(stringify([['plain', 'with,comma', 'with "quotes"']]), 'plain,"with,comma","with ""quotes"""\n');
});
