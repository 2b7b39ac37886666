import type { Archive } from '#archive/archive.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { Log } from '#services/log.ts';

/** What a start after a crash found and put right. */
export interface Reconciled {
  calls: { released: number; ambiguous: number };
  jobs: number;
  sandboxes: string[];
}

/**
 * Puts right what a crash of this process left behind, before any job is handed out: calls that never left are released
 * and those under way marked ambiguous; leased jobs become ready again (their workers died with us, and the next claim's
 * epoch fences whatever they still do); sandboxes, worktrees and missing refs are cleaned up. Doing it twice changes nothing.
 */
export async function reconcile(
  archive: Archive,
  drivers: SandboxDriver[],
  nowMs: number,
  log: Log,
): Promise<Reconciled> {
  const calls = archive.ledger.reconcile(nowMs);
  const jobs = archive.jobs.leased().filter(({ id }) => archive.jobs.expire(id, nowMs)).length;
  await archive.repository.reconcile();
  const sandboxes: string[] = [];
  for (const driver of drivers) {
    const { available } = await driver.diagnose();
    if (available) sandboxes.push(...(await driver.reap(archive.ownerId, () => false)));
  }
  const found = { calls, jobs, sandboxes };
  if (calls.released + calls.ambiguous + jobs + sandboxes.length > 0)
    log.info(found, 'put right what the last stop left behind');
  return found;
}
