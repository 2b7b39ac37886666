/** What was paid, and how. */
export function receipt({ paid, method }) {
  return `Received $${paid.toFixed(2)} by ${method}. Thank you!`;
}
