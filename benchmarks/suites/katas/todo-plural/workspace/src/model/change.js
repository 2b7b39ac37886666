/** The items with one of them changed. */
export function change(items, id, update) {
  const index = indexOf(items, id);
  return items.with(index, update(items[index]));
}

export function indexOf(items, id) {
  const index = items.findIndex((item) => item.id === Number(id));
  if (index < 0) throw new RangeError(`there is no item ${id}`);
  return index;
}
