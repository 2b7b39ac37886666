import type { Archive } from '#archive/archive.ts';
import type { Job, RunId } from '#archive/schema.ts';
import { evidenceOf } from './returned-jobs.ts';

/** How long a worker may be silent before its job goes to another. A service that starts takes its own jobs back at once. */
export const LEASE_MS = 30_000;
/** A job of which so many leases ended by themselves stalls or kills whoever takes it. */
const MOST_ENDED_LEASES = 10;

export interface LeaseSweepDependencies {
  archive: Pick<Archive, 'jobs'>;
  clock: () => number;
  /** How often `sweep` is meant to be called. */
  everyMs: number;
  /** Told of each job that was taken back, and from whom. */
  onEnded: (runId: RunId, reason: string, worker: string) => void;
}

/** Takes jobs back from workers that fell silent. */
export class LeaseSweep {
  readonly #deps: LeaseSweepDependencies;
  #lastMs: number | null = null;

  constructor(deps: LeaseSweepDependencies) {
    this.#deps = deps;
  }

  /**
   * Takes back every job whose lease has ended. Being late itself it takes none: what kept it waiting has kept the workers'
   * renewals waiting as well, and they come first.
   */
  sweep(): void {
    const { archive, clock, everyMs, onEnded } = this.#deps;
    const nowMs = clock();
    const isLate = this.#lastMs !== null && nowMs - this.#lastMs > everyMs + LEASE_MS / 2;
    this.#lastMs = nowMs;
    if (isLate) return;
    for (const job of archive.jobs.expired(nowMs)) {
      if (endLease(archive, job, nowMs)) onEnded(job.runId, `the lease on ${job.id} ended`, job.worker ?? '');
    }
  }
}

/**
 * Takes a job from a worker that never gave it back: ready again, or set aside when that has happened to it too often.
 * @returns false when nobody held it.
 */
export function endLease(
  { jobs }: Pick<Archive, 'jobs'>,
  { id, epoch }: Job,
  nowMs: number,
  reason = 'its lease ended',
): boolean {
  // Being claimed raises a job's epoch by one, being taken back by one more; being given back does not.
  if (epoch < 2 * MOST_ENDED_LEASES - 1) return jobs.expire(id, nowMs, reason);
  const why = `${MOST_ENDED_LEASES} leases on it ended without a result; ${evidenceOf(jobs.failures(id))}`;
  return jobs.setAside({ jobId: id }, 'infra', why, nowMs);
}
