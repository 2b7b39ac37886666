/** A new item, with the first free id. */
export function createItem(items, title) {
  if (title.trim() === '') throw new TypeError('an item needs a title');
  const id = Math.max(0, ...items.map((item) => item.id)) + 1;
  return { id, title, isDone: false };
}
