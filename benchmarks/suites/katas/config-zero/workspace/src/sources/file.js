import { SettingError } from '../errors.js';

/** Settings as a JSON object. */
export function fromFile(text) {
  const value = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SettingError('file', 'expected an object');
  return value;
}
