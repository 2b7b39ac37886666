/** A suite cannot be read or written. The message is for the user: which file, what is wrong with it, what to do. */
export class SuiteError extends Error {
  override name = 'SuiteError';
}
