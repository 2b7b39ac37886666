/** What a voucher is worth. */
export function discount({ code, amount, minimum }) {
  return `Voucher ${code}: $${amount.toFixed(2)} off orders over $${minimum.toFixed(2)}`;
}
