/** `12:00:01 INFO message key=value` */
export function text({ time, lvl, message, ...rest }) {
  const pairs = Object.entries(rest).map(([key, value]) => ` ${key}=${value}`);
  return `${time} ${lvl.toUpperCase().padEnd(5)} ${message}${pairs.join('')}`;
}
