import { summary } from './summary.js';
import { table } from './table.js';

/** The whole screen. */
export function render(items, flags = {}) {
  return `${table(items, flags)}${summary(items)}\n`;
}
