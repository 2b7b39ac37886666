import type { Archive } from '#archive/archive.ts';
import { Lease, type Run } from '#archive/schema.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { SandboxLabels } from '#sandbox/schema.ts';
import type { Log } from '#services/log.ts';
import { EMBEDDED } from '#services/worker/fleet.ts';
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
 * on it; calls that never left are released and those under way marked ambiguous; jobs leased to the worker in this process
 * become ready again (it died with us, and the next claim's epoch fences whatever it still does), while those of others go on;
 * sandboxes that no lease needs, worktrees and missing refs are cleaned up. Doing it twice changes nothing.
 */
export async function reconcile(
  archive: Archive,
  drivers: SandboxDriver[],
  nowMs: number,
  log: Log,
): Promise<Reconciled> {
  for (const run of archive.runs.list()) noteAbsence(archive, run, nowMs);
  const calls = archive.ledger.reconcile(nowMs);
  const own = archive.jobs.leased().filter(({ worker }) => worker === EMBEDDED);
  const jobs = own.filter((job) => endLease(archive, job, nowMs)).length;
  await archive.repository.reconcile();
  const sandboxes: string[] = [];
  for (const driver of drivers) {
    const { available } = await driver.diagnose();
    if (available) sandboxes.push(...(await driver.reap(archive.ownerId, (labels) => isNeeded(archive, labels))));
  }
  const found = { calls, jobs, sandboxes };
  if (calls.released + calls.ambiguous + jobs + sandboxes.length > 0)
    log.info(found, 'put right what the last stop left behind');
  return found;
}

function isNeeded({ jobs }: Archive, { job, epoch }: SandboxLabels): boolean {
  const lease = Lease.safeParse({ jobId: job, epoch });
  return lease.success && jobs.holds(lease.data);
}

/** From the last thing that happened to the run, or the last renewal of a lease, to now. The clock of a paused run rests anyway. */
function noteAbsence({ events, jobs }: Archive, { id, state }: Run, nowMs: number): void {
  if (isOver(state) || state === 'paused') return;
  const renewals = jobs.open(id).flatMap(({ leaseUntil }) => (leaseUntil === null ? [] : leaseUntil - LEASE_MS));
  const fromMs = Math.max(events.lastMs(id) ?? nowMs, ...renewals);
  if (fromMs < nowMs) events.serviceAway(id, { fromMs, untilMs: nowMs });
}
