import { count } from '../model/count.js';

/** The last line: what is left and what is done. */
export function summary(items) {
  const { left, done } = count(items);
  const doneText = done > 0 ? `, ${done} done` : '';
  return `${left} items left${doneText}`;
}
