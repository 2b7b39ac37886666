/** The bank takes its share. */
export function fee(account, event) {
  return { ...account, balance: account.balance - event.amount };
}
