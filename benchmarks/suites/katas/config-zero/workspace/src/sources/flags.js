/** Flags such as `--log-level=debug` or `--verbose`. */
export function fromFlags(flags) {
  const result = {};
  for (const flag of flags) {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/.exec(flag) ?? [];
    if (name) result[keyOf(name)] = value ?? 'true';
  }
  return result;
}

function keyOf(name) {
  return name.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());
}
