import type { Archive } from '#archive/archive.ts';
import type { Lease } from '#archive/schema.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { HarnessBreaker } from './harness-breaker.ts';
import { handsOutJobs } from './run-states.ts';

/** How often the harness may fail at one job before the job is set aside. */
const MOST_ATTEMPTS = 5;
/** A job that the harness failed at waits so long before it is tried again, then four times as long each time. */
const FIRST_WAIT_MS = 1_000;

export interface ReturnedJobsDependencies {
  archive: Pick<Archive, 'jobs' | 'ledger' | 'runs'>;
  disk: DiskWatch;
  breaker: Pick<HarnessBreaker, 'failed'>;
  clock: () => number;
}

/** What becomes of jobs that come back without a result. */
export class ReturnedJobs {
  readonly #deps: ReturnedJobsDependencies;

  constructor(deps: ReturnedJobsDependencies) {
    this.#deps = deps;
  }

  /** Its worker could not go on with it. It may be taken again at once. */
  givenBack(lease: Lease, reason: string): void {
    const { archive, clock } = this.#deps;
    archive.jobs.release(lease, { reason, infra: false, notBeforeMs: 0 }, clock());
  }

  /**
   * The harness failed at it: it is tried again later, and set aside after the last attempt. What the end of the run's money
   * brought down is nobody's failure: the run's next decision is to finish. Nor does it count in a run that rests (it may
   * just have been paused for this very failure) or while the disk is full: the job waits as if it had never been tried.
   */
  failed(lease: Lease, reason: string): void {
    const { archive, disk, breaker, clock } = this.#deps;
    const job = archive.jobs.get(lease.jobId);
    if (job === null || !archive.jobs.holds(lease)) return;
    if (archive.ledger.refused(job.runId)) {
      archive.jobs.setAside(lease, 'cancelled', "the run's money is used up", clock());
      return;
    }
    const diskIsFull = disk.full() !== null;
    if (!diskIsFull) breaker.failed(job.runId, reason);
    const run = archive.runs.get(job.runId);
    const counts = !diskIsFull && run !== null && handsOutJobs(run.state);
    if (counts) this.#count(lease, job.infraFailures + 1, reason);
    else this.givenBack(lease, reason);
  }

  #count(lease: Lease, failures: number, reason: string): void {
    const { archive, clock } = this.#deps;
    const notBeforeMs = clock() + FIRST_WAIT_MS * 4 ** (failures - 1);
    if (failures >= MOST_ATTEMPTS) archive.jobs.setAside(lease, 'infra', reason, clock());
    else archive.jobs.release(lease, { reason, infra: true, notBeforeMs }, clock());
  }
}
