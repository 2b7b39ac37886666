/** Keeps the last records. */
export function memory(limit = 100) {
  const records = [];
  const sink = (record) => {
    records.push(record);
    if (records.length > limit) records.shift();
  };
  return { sink, records };
}
