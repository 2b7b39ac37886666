/** A setting that cannot be used. */
export class SettingError extends Error {
  constructor(key, problem) {
    super(`${key}: ${problem}`);
    this.name = 'SettingError';
  }
}
