/** One line of JSON a record. */
export function json(record) {
  return JSON.stringify(record);
}
