import { readAlias } from './alias.js';
import { readPath } from './path.js';

export function readColumns(cursor) {
  const columns = [];
  do {
    columns.push(cursor.skip('*') ? { path: ['*'], alias: null } : { path: readPath(cursor), alias: readAlias(cursor) });
  } while (cursor.skip(','));
  return columns;
}
