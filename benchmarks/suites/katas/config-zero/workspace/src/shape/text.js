export function readText(_key, value) {
  return String(value);
}
