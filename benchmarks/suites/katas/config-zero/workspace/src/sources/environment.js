/** Variables such as `APP_LOG_LEVEL` for a setting `logLevel`. */
export function fromEnvironment(shape, environment) {
  const result = {};
  for (const key of Object.keys(shape)) {
    const value = environment[variableOf(key)];
    if (value !== undefined && value !== '') result[key] = value;
  }
  return result;
}

export function variableOf(key) {
  return `APP_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
