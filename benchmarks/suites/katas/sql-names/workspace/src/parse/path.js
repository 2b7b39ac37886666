/** A name with what it belongs to: `schema.table.column`. */
export function readPath(cursor) {
  const path = [cursor.take('name')];
  while (cursor.skip('.')) path.push(cursor.skip('*') ? '*' : cursor.take('name'));
  return path;
}
