const SEVERITY = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

/** A line with a priority in front, for the local log daemon. */
export function syslog(record, facility = 16) {
  return `<${facility * 8 + SEVERITY[record.lvl]}>${record.message}`;
}
