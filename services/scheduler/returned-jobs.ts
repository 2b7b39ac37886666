import type { Archive } from '#archive/archive.ts';
import type { JobFailure } from '#archive/jobs.ts';
import type { Job, Lease } from '#archive/schema.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { HarnessBreaker } from './harness-breaker.ts';
import { handsOutJobs } from './run-states.ts';

/** How often the harness may fail at one job before the job is set aside. */
const MOST_ATTEMPTS = 5;
/** A job that the harness failed at waits so long before it is tried again, then four times as long each time. */
const FIRST_WAIT_MS = 1_000;

export interface ReturnedJobsDependencies {
  archive: Pick<Archive, 'events' | 'jobs' | 'ledger' | 'runs' | 'transaction'>;
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
    if (!diskIsFull) breaker.failed(job.runId, reason, job.worker ?? '');
    const run = archive.runs.get(job.runId);
    const counts = !diskIsFull && run !== null && handsOutJobs(run.state);
    if (counts) this.#count(lease, job, reason);
    else this.givenBack(lease, reason);
  }

  #count(lease: Lease, job: Job, reason: string): void {
    const { archive, clock } = this.#deps;
    const failures = job.infraFailures + 1;
    const notBeforeMs = clock() + FIRST_WAIT_MS * 4 ** (failures - 1);
    if (failures < MOST_ATTEMPTS) archive.jobs.release(lease, { reason, infra: true, notBeforeMs }, clock());
    else this.#setAside(lease, job, reason);
  }

  /** With the evidence, so that somebody can find out why nobody could do it. */
  #setAside(lease: Lease, { id, runId, worker }: Job, reason: string): void {
    const { archive, clock } = this.#deps;
    const failures = [...archive.jobs.failures(id), { worker: worker ?? '', reason, at: clock() }];
    const why = `the harness failed at it ${MOST_ATTEMPTS} times; ${evidenceOf(failures)}`;
    archive.transaction(() => {
      if (!archive.jobs.setAside(lease, 'infra', why, clock())) return;
      archive.events.notice(runId, 'warning', 'job-set-aside', `${id} was set aside: ${why}`, clock());
    });
  }
}

/** Where jobs came back from and why: `on w1: no space left (3 times); on w2: its lease ended`. */
export function evidenceOf(failures: readonly JobFailure[]): string {
  const counts = Map.groupBy(failures, ({ worker, reason }) => `on ${worker}: ${reason}`);
  return [...counts].map(([what, { length }]) => (length === 1 ? what : `${what} (${length} times)`)).join('; ');
}
