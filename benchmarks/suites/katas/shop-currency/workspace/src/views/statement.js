/** A customer's account at the end of a month. */
export function statement({ month, opening, closing }) {
  const lines = [`Statement for ${month}`];
  lines.push(`Before: $${opening.toFixed(2)}`);
  lines.push(`After: $${closing.toFixed(2)}`);
  return lines.join('\n');
}
