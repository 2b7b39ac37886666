/** Writes rows of fields as CSV text, quoting only the fields that need it. */
export function stringify(rows, { separator = ',' } = {}) {
  return rows.map((row) => `${row.map((field) => quote(String(field), separator)).join(separator)}\n`).join('');
}

function quote(field, separator) {
  if (!field.includes('"') && !field.includes(separator) && !/[\r\n]/.test(field)) return field;
  return `"${field.replaceAll('"', '""')}"`;
}
