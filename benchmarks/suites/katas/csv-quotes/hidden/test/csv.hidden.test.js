import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from '../src/parse.js';
import { stringify } from '../src/stringify.js';

test('two quotes inside a quoted field are one quote', () => {
  assert.deepEqual(parse('"say ""hi""",x\n'), [['say "hi"', 'x']]);
});

test('a quoted field may consist of a quote', () => {
  assert.deepEqual(parse('"""",b\n'), [['"', 'b']]);
});

test('an empty quoted field stays empty', () => {
  assert.deepEqual(parse('"",b\n'), [['', 'b']]);
});

test('what stringify writes, parse reads', () => {
  const rows = [['a "quoted" word', 'two\nlines', ''], ['"', ',', '""']];
  assert.deepEqual(parse(stringify(rows)), rows);
});
