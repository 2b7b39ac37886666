import { printName } from './name.js';

export function print({ columns, tables }) {
  const from = tables.length > 0 ? ` <- ${tables.map(entry).join(', ')}` : '';
  return columns.map(entry).join(', ') + from;
}

function entry({ path, alias }) {
  const text = path.map(printName).join('.');
  return alias === null ? text : `${text} as ${printName(alias)}`;
}
