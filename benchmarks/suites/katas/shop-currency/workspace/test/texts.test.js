import assert from 'node:assert/strict';
import test from 'node:test';
import { money } from '../src/money.js';
import * as texts from '../src/texts.js';

test('money knows its currency', () => {
  assert.equal(money(3, 'EUR'), '3.00 €');
});

test('dollars stay as they are', () => {
  assert.equal(texts.invoice({ lines: [{ title: 'Tea', amount: 3 }, { title: 'Pot', amount: 20.5 }] }), 'Tea: $3.00\nPot: $20.50\nSum: $23.50');
  assert.equal(texts.receipt({ paid: 5, method: 'card' }), 'Received $5.00 by card. Thank you!');
  assert.equal(texts.cart({ items: [{ price: 2, count: 3 }] }), '3 in cart, $6.00');
});

test('an empty cart has no amount', () => {
  assert.equal(texts.cart({ items: [] }), 'Your cart is empty');
});
