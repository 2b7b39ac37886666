/** What goes back to the customer. */
export function refund({ amount, days }) {
  const when = days === 1 ? 'tomorrow' : `within ${days} days`;
  return `We return $${amount.toFixed(2)} ${when}.`;
}
