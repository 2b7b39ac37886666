/** What sending costs, free from an amount on. */
export function shipping({ cost, freeFrom }) {
  if (cost === 0) return 'Sent free of charge';
  return `Shipping $${cost.toFixed(2)}, free from $${freeFrom.toFixed(2)}`;
}
