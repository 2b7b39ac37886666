import { SettingError } from '../errors.js';

export function readNumber(key, value) {
  const number = Number(value);
  if (!number) throw new SettingError(key, `expected a number, got ${JSON.stringify(value)}`);
  return number;
}
