/** Lets every `n`th record through, and all errors. */
export function sampling(n, sink) {
  let count = 0;
  return (record) => {
    count += 1;
    if (record.lvl === 'error' || count % n === 0) sink(record);
  };
}
