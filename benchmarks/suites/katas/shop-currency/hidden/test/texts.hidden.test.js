import assert from 'node:assert/strict';
import test from 'node:test';
import * as texts from '../src/texts.js';

const CASES = {
  invoice: [{ lines: [{ title: 'Tea', amount: 3 }], currency: 'EUR' }, 'Tea: 3.00 €\nSum: 3.00 €'],
  receipt: [{ paid: 5, method: 'card', currency: 'GBP' }, 'Received £5.00 by card. Thank you!'],
  refund: [{ amount: 7.5, days: 3, currency: 'CHF' }, 'We return CHF 7.50 within 3 days.'],
  cart: [{ items: [{ price: 2, count: 3 }], currency: 'EUR' }, '3 in cart, 6.00 €'],
  shipping: [{ cost: 4, freeFrom: 50, currency: 'EUR' }, 'Shipping 4.00 €, free from 50.00 €'],
  discount: [{ code: 'MAY', amount: 5, minimum: 30, currency: 'GBP' }, 'Voucher MAY: £5.00 off orders over £30.00'],
  payout: [{ shop: 'Ada', amount: 100, fee: 2.5, currency: 'EUR' }, 'Ada: 97.50 € (fee 2.50 €)'],
  statement: [{ month: 'May', opening: 0, closing: 12, currency: 'CHF' }, 'Statement for May\nBefore: CHF 0.00\nAfter: CHF 12.00'],
};

for (const [name, [input, expected]] of Object.entries(CASES)) {
  test(`${name} uses the currency it is given`, () => {
    assert.equal(texts[name](input), expected);
  });
}

test('dollars are the default everywhere', () => {
  for (const [name, [input]] of Object.entries(CASES)) {
    const { currency, ...rest } = input;
    assert.match(texts[name](rest), /\$\d+\.\d\d/);
  }
});

test('unknown currencies are refused', () => {
  assert.throws(() => texts.receipt({ paid: 1, method: 'card', currency: 'XXX' }), /unknown currency: XXX/);
});
