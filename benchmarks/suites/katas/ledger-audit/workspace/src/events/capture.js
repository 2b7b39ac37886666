/** The payment came: the money that was set aside goes out. */
export function capture(account, event) {
  return { ...account, held: account.held - event.amount };
}
