import { rank } from './levels.js';

/** Hands records to a sink. `now` is the clock. */
export function createLogger({ sink, now, fields = {} }) {
  const log = (name, message, more = {}) => {
    rank(name);
    sink({ time: now(), lvl: name, message, ...fields, ...more });
  };
  return { log, info: (message, more) => log('info', message, more), error: (message, more) => log('error', message, more) };
}
