/** Hides the values of some fields. */
export function redact(names, sink) {
  return (record) => {
    const copy = { ...record };
    for (const name of names) if (name in copy) copy[name] = '***';
    sink(copy);
  };
}
