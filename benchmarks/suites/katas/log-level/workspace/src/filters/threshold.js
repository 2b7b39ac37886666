import { rank } from '../levels.js';

/** Lets through what is at least as bad as `least`. */
export function threshold(least, sink) {
  return (record) => {
    if (rank(record.lvl) >= rank(least)) sink(record);
  };
}
