import { readSelect } from './parse/select.js';
import { print } from './print/outline.js';
import { split } from './parse/statements.js';
import { scan } from './lex/scan.js';

/** An outline of every statement, one line each. */
export function outline(sql) {
  return split(scan(sql)).map((tokens) => print(readSelect(tokens)));
}
