/** Words between commas. */
export function readList(_key, value) {
  if (Array.isArray(value)) return value.map(String);
  return String(value).split(',').map((word) => word.trim()).filter((word) => word !== '');
}
