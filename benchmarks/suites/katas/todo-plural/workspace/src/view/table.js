/** One line an item; done items only with `--all`. */
export function table(items, { all = false } = {}) {
  return items
    .filter((item) => all || !item.isDone)
    .map((item) => `${item.isDone ? '[x]' : '[ ]'} ${item.id} ${item.title}\n`)
    .join('');
}
