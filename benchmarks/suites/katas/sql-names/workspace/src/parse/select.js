import { Cursor } from '../lex/cursor.js';
import { readColumns } from './columns.js';
import { readTables } from './tables.js';

/** Columns and tables of `SELECT ... FROM ...`; what follows is not looked at. */
export function readSelect(tokens) {
  const cursor = new Cursor(tokens);
  if (!cursor.skip('SELECT')) throw new SyntaxError(`only SELECT has an outline, not ${cursor.token.text}`);
  const columns = readColumns(cursor);
  return { columns, tables: cursor.skip('FROM') ? readTables(cursor) : [] };
}
