/** How many items are still to do, and how many are done. */
export function count(items) {
  const done = items.filter((item) => item.isDone).length;
  return { left: items.length - done, done };
}
