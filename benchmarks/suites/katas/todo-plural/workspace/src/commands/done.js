import { change } from '../model/change.js';

export function done(items, [id]) {
  return change(items, id, (item) => ({ ...item, isDone: true }));
}
