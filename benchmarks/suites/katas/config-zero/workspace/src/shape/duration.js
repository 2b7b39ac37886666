import { SettingError } from '../errors.js';

const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `250ms`, `10s`, `5m` or `2h`. */
export function readDuration(key, value) {
  const [, count, unit] = /^(\d+)(ms|s|m|h)$/.exec(String(value)) ?? [];
  if (!count) throw new SettingError(key, `expected a duration such as 10s, got ${JSON.stringify(value)}`);
  return Number(count) * UNITS_MS[unit];
}
