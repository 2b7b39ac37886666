/** `AS name`, or a name alone; null when there is none. */
export function readAlias(cursor) {
  if (cursor.skip('AS')) return cursor.take('name');
  return cursor.token.kind === 'name' ? cursor.take('name') : null;
}
