export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** The rank of a level, higher is worse. */
export function rank(level) {
  const index = LEVELS.indexOf(level);
  if (index < 0) throw new RangeError(`unknown level: ${level}`);
  return index;
}
