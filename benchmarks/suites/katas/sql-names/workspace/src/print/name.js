/** A name as it must be written: in quotes unless it is a plain word. */
export function printName(name) {
  return name === '*' || /^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
