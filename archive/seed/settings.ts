/** What the agent allows itself. Times are in milliseconds, sizes in characters. */
export const settings = {
  /** Answers of the model in one task. */
  maxSteps: 15,
  /** Of a command's output, what the model gets to see. */
  outputChars: 6_000,
  /** One command; a command that takes longer is ended and the shell started anew. */
  commandTimeoutMs: 60_000,
  /** The whole conversation; beyond it the oldest tool results are shortened. */
  contextChars: 240_000,
  /** Kept back from the deadline, to end in good order. */
  reserveMs: 3_000,
};
