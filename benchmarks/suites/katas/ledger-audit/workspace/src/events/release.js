/** The payment did not come: the money is free again. */
export function release(account, event) {
  return { ...account, held: account.held - event.amount };
}
