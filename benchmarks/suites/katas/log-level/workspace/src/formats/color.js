const COLORS = { warn: 33, error: 31, fatal: 35 };

/** The message in the colour of its level. */
export function color(record) {
  const code = COLORS[record.lvl];
  return code ? `\u001b[${code}m${record.message}\u001b[0m` : record.message;
}
