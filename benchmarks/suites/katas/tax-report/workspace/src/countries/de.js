export const country = 'Germany';

/** Value added tax of a net amount, both in cents. */
export function tax(netCents) {
  return Math.round((netCents * 19) / 100);
}
