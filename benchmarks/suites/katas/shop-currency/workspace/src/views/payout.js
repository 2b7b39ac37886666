/** A line of the list of payouts. */
export function payout({ shop, amount, fee }) {
  const net = amount - fee;
  return `${shop}: $${net.toFixed(2)} (fee $${fee.toFixed(2)})`;
}
