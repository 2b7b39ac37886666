import assert from 'node:assert/strict';
import test from 'node:test';
import { slug } from '../src/slug.js';

test('words are joined by dashes', () => {
  assert.equal(slug('Ten things, you know'), 'ten-things-you-know');
});

test('apostrophes vanish', () => {
  assert.equal(slug("Don't panic!"), 'dont-panic');
});

test('a cut slug does not end in a dash', () => {
  assert.equal(slug('one two three', { maxLength: 8 }), 'one-two');
});
