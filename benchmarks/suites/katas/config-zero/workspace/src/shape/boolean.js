import { SettingError } from '../errors.js';

const WORDS = { true: true, yes: true, on: true, false: false, no: false, off: false };

export function readBoolean(key, value) {
  const known = WORDS[String(value).toLowerCase()];
  if (known === undefined) throw new SettingError(key, `expected yes or no, got ${JSON.stringify(value)}`);
  return known;
}
