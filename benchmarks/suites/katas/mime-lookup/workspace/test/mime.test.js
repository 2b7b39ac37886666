import assert from 'node:assert/strict';
import test from 'node:test';
import { contentType, extensionsOf, lookup } from '../src/mime.js';
import { headersFor } from '../src/serve.js';

test('finds the type of a path', () => {
  assert.equal(lookup('/pictures/2024.06/cat.png'), 'image/png');
});

test('a name without extension has no type', () => {
  assert.equal(lookup('/pictures.d/README'), undefined);
});

test('lists the extensions of a type', () => {
  assert.ok(extensionsOf('Text/HTML; charset=utf-8').includes('html'));
});

test('unknown files are bytes', () => {
  assert.equal(contentType('a.unknown'), 'application/octet-stream');
});

test('text is served with a charset', () => {
  assert.equal(headersFor('style.css', 10)['content-type'], 'text/css; charset=utf-8');
});
