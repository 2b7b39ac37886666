import assert from 'node:assert/strict';
import test from 'node:test';
import { contentType, lookup } from '../src/mime.js';

test('capital letters in an extension do not matter', () => {
  assert.equal(lookup('DSC_0042.PNG'), 'image/png');
  assert.equal(lookup('Index.Html'), 'text/html');
});

test('a file in capital letters is served with its type', () => {
  assert.equal(contentType('/A/STYLE.CSS'), 'text/css; charset=utf-8');
});

test('a hidden file without extension has no type', () => {
  assert.equal(lookup('/home/.css'), undefined);
});

test('a hidden file with extension has one', () => {
  assert.equal(lookup('/home/.theme.css'), 'text/css');
});
