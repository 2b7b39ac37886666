/** Money goes out. */
export function withdrawal(account, event) {
  return { ...account, balance: account.balance - event.amount };
}
