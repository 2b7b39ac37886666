/** Money is set aside for a payment that is to come. */
export function hold(account, event) {
  return { ...account, held: account.held + event.amount };
}
