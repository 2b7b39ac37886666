const SIGNS = { USD: ['$', ''], EUR: ['', ' €'], GBP: ['£', ''], CHF: ['CHF ', ''] };

/** An amount as it is written in a currency, with two decimals. */
export function money(amount, currency = 'USD') {
  const signs = SIGNS[currency];
  if (!signs) throw new RangeError(`unknown currency: ${currency}`);
  return `${signs[0]}${amount.toFixed(2)}${signs[1]}`;
}
