export const country = 'Hungary';

/** Value added tax of a net amount, both in cents. */
export function tax(netCents) {
  return Math.round((netCents * 27) / 100);
}
