export const country = 'Slovakia';

/** Value added tax of a net amount, both in cents. */
export function tax(netCents) {
  return Math.round((netCents * 20) / 100);
}
