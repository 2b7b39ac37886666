/** Money comes in. */
export function deposit(account, event) {
  return { ...account, balance: account.balance + event.amount };
}
