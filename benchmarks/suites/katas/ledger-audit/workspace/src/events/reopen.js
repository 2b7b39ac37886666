/** The account is open again. */
export function reopen(account) {
  return { ...account, isOpen: true };
}
