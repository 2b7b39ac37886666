import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { edit } from './edit.ts';

const directory = mkdtempSync(join(tmpdir(), 'edit-'));
after(() => rmSync(directory, { recursive: true }));
const put = (path: string, text: string) => writeFileSync(join(directory, path), text);
const get = (path: string) => readFileSync(join(directory, path), 'utf8');

test('a piece of text that is there once is replaced, and nothing else', () => {
  put('a.txt', 'one\ntwo\nthree\n');
  assert.equal(edit(directory, 'a.txt', 'two', 'a $& b'), 'edited a.txt');
  assert.equal(get('a.txt'), 'one\na $& b\nthree\n');
});

test('text that is not there, or there twice, is refused and the file left alone', () => {
  put('b.txt', 'same\nsame\n');
  assert.throws(() => edit(directory, 'b.txt', 'same', 'x'), /more than once/);
  assert.throws(() => edit(directory, 'b.txt', 'other', 'x'), /not in b\.txt/);
  assert.equal(get('b.txt'), 'same\nsame\n');
});

test('without old text the file is written whole, with its folders', () => {
  assert.equal(edit(directory, 'new/deep/c.txt', '', 'hello\n'), 'wrote new/deep/c.txt');
  assert.equal(get('new/deep/c.txt'), 'hello\n');
});

test('a file that is missing cannot be edited', () => {
  assert.throws(() => edit(directory, 'missing.txt', 'a', 'b'), /ENOENT/);
});
