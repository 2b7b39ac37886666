/** Leaves out a record that says the same as the one before it. */
export function dedupe(sink) {
  let last = '';
  return (record) => {
    const said = `${record.lvl} ${record.message}`;
    if (said !== last) sink(record);
    last = said;
  };
}
