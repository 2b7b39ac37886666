import { type SandboxDriver, SandboxGone } from '#sandbox/sandbox.ts';

/**
 * Decides whose fault it is that a sandbox ended which a program of the agent ran in. Returns when what ran in it ended it,
 * for instance by using up the memory, and the engine is well. @throws the error otherwise.
 */
export async function blameAgent(
  error: unknown,
  { driver, signal }: { driver: SandboxDriver; signal: AbortSignal },
): Promise<void> {
  if (!(error instanceof SandboxGone) || error.endedBy !== 'program' || signal.aborted) throw error;
  const diagnosis = await driver.diagnose();
  if (!diagnosis.available) throw error;
}
