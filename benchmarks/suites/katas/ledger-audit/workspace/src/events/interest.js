/** The bank gives its share. */
export function interest(account, event) {
  return { ...account, balance: account.balance + event.amount };
}
