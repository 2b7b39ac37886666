/** The lines of an invoice and their sum. */
export function invoice({ lines }) {
  const rows = lines.map(({ title, amount }) => `${title}: $${amount.toFixed(2)}`);
  const sum = lines.reduce((total, line) => total + line.amount, 0);
  return [...rows, `Sum: $${sum.toFixed(2)}`].join('\n');
}
