import { change } from '../model/change.js';

export function rename(items, [id, ...words]) {
  return change(items, id, (item) => ({ ...item, title: words.join(' ') }));
}
