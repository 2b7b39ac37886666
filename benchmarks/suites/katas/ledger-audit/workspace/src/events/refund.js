/** A payment comes back. */
export function refund(account, event) {
  return { ...account, balance: account.balance + event.amount };
}
