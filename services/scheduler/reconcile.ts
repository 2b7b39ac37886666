import type { Archive } from '#archive/archive.ts';
import type { Run } from '#archive/schema.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { Log } from '#services/log.ts';
import { endLease, LEASE_MS } from './lease-sweep.ts';
import { isOver } from './run-states.ts';

/** What a start after a crash found and put right. */
export interface Reconciled {
  calls: { released: number; ambiguous: number };
  jobs: number;
  sandboxes: string[];
}

/**
 * Puts right what a crash of this process left behind, before any job is handed out: each run is told how long nobody worked
 * on it; calls that never left are released and those under way marked ambiguous; leased jobs become ready again (their workers died with us, and the next claim's
 * epoch fences whatever they still do); sandboxes, worktrees and missing refs are cleaned up. Doing it twice changes nothing.
 */
export async function reconcile(
  archive: Archive,
  drivers: SandboxDriver[],
  nowMs: number,
  log: Log,
): Promise<Reconciled> {
  for (const run of archive.runs.list()) noteAbsence(archive, run, nowMs);
  const calls = archive.ledger.reconcile(nowMs);
  const jobs = archive.jobs.leased().filter((job) => endLease(archive, job, nowMs)).length;
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

/** From the last thing that happened to the run, or the last renewal of a lease, to now. The clock of a paused run rests anyway. */
function noteAbsence({ events, jobs }: Archive, { id, state }: Run, nowMs: number): void {
  if (isOver(state) || state === 'paused') return;
  const renewals = jobs.open(id).flatMap(({ leaseUntil }) => (leaseUntil === null ? [] : leaseUntil - LEASE_MS));
  const fromMs = Math.max(events.lastMs(id) ?? nowMs, ...renewals);
  if (fromMs < nowMs) events.serviceAway(id, { fromMs, untilMs: nowMs });
}
