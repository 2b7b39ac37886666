/** Bad news to one sink, everything else to another. */
export function split(bad, other) {
  return (record) => {
    if (record.lvl === 'error' || record.lvl === 'fatal') bad(record);
    else other(record);
  };
}
