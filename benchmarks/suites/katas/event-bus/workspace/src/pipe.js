/** Passes the events of some topics on to another bus, until the returned function is called. */
export function pipe(from, to, names) {
  const offs = names.map((name) => from.on(name, (event) => to.emit(name, event)));
  return () => {
    for (const off of offs) off();
  };
}
