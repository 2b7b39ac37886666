/** Removes what is done. */
export function clear(items) {
  return items.filter((item) => !item.isDone);
}
