import { defaults } from './sources/defaults.js';
import { fromEnvironment } from './sources/environment.js';
import { fromFile } from './sources/file.js';
import { fromFlags } from './sources/flags.js';
import { merge } from './merge.js';
import { readShape } from './shape/read.js';

/** All settings of `shape`. */
export function settings(shape, { file = '{}', environment = {}, flags = [] } = {}) {
  const layers = [defaults(shape), fromFile(file), fromEnvironment(shape, environment), fromFlags(flags)];
  return readShape(shape, merge(layers));
}
