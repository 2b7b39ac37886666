/** One object out of several; undefined values do not count. */
export function merge(layers) {
  const result = {};
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer)) if (value !== undefined) result[key] = value;
  }
  return result;
}
