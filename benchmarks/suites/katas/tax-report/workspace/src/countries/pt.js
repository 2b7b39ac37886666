export const country = 'Portugal';

/** Value added tax of a net amount, both in cents. */
export function tax(netCents) {
  return Math.floor((netCents * 23) / 100);
}
