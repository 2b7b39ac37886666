import { readAlias } from './alias.js';
import { readPath } from './path.js';

export function readTables(cursor) {
  const tables = [];
  do {
    tables.push({ path: readPath(cursor), alias: readAlias(cursor) });
  } while (cursor.skip(',') || cursor.skip('JOIN'));
  return tables;
}
