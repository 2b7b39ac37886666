/** A number in [0, 1) that depends on the text alone: the leading bits of a 53-bit hash (cyrb53). */
export function chance(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return ((low >>> 11) * 2 ** 32 + (high >>> 0)) / 2 ** 53;
}

/** One of the items, by the text. The list must not be empty. */
export function pick<Item>(items: readonly Item[], text: string): Item {
  const item = items[Math.floor(chance(text) * items.length)];
  if (item === undefined) throw new Error('pick() needs at least one item');
  return item;
}
