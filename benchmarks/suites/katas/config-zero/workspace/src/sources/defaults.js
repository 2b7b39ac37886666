/** The default of every setting that has one. */
export function defaults(shape) {
  return Object.fromEntries(Object.entries(shape).map(([key, { default: value }]) => [key, value]));
}
