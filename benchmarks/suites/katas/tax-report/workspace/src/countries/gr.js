export const country = 'Greece';

/** Value added tax of a net amount, both in cents. */
export function tax(netCents) {
  return Math.round((netCents * 24) / 100);
}
