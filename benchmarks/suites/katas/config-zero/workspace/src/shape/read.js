import { SettingError } from '../errors.js';
import { readers } from './readers.js';

/** Reads every value as the kind that the shape gives it. */
export function readShape(shape, values) {
  const result = {};
  for (const [key, { kind, optional = false }] of Object.entries(shape)) {
    if (values[key] === undefined && !optional) throw new SettingError(key, 'is missing');
    if (values[key] !== undefined) result[key] = readers[kind](key, values[key]);
  }
  return result;
}
