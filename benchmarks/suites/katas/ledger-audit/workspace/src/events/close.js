/** The account is closed. */
export function close(account) {
  return { ...account, isOpen: false };
}
