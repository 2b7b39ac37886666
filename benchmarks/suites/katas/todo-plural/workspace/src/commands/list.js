export function list(items) {
  return items;
}
