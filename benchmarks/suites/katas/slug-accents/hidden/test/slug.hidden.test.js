import assert from 'node:assert/strict';
import test from 'node:test';
import { slug } from '../src/slug.js';

test('accents are dropped, their letters stay', () => {
  assert.equal(slug('Crème brûlée à la carte'), 'creme-brulee-a-la-carte');
});

test('capital letters with accents become small plain ones', () => {
  assert.equal(slug('ÉTÉ À ZÜRICH'), 'ete-a-zurich');
});

test('composed and decomposed titles have the same slug', () => {
  assert.equal(slug('Se\u0301ance'), slug('S\u00e9ance'));
});

test('plain titles are as before', () => {
  assert.equal(slug('  Hello -- World 2  '), 'hello-world-2');
});
