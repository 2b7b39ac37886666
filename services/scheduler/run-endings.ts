import type { Archive } from '#archive/archive.ts';
import type { RunId } from '#archive/schema.ts';

type Ending = Pick<Archive, 'events' | 'jobs' | 'runs' | 'transaction'>;

/** Ends the run's jobs without a result, whoever holds them. */
export function cancelJobs({ jobs, transaction }: Ending, runId: RunId, reason: string, nowMs: number): void {
  transaction(() => {
    for (const { id } of jobs.open(runId)) jobs.setAside({ jobId: id }, 'cancelled', reason, nowMs);
  });
}

/** Ends the run for good because the service cannot go on with it; what was settled stays. */
export function failRun(archive: Ending, runId: RunId, error: unknown, nowMs: number): void {
  const why = `the service cannot go on with it: ${error instanceof Error ? error.message : String(error)}`;
  archive.transaction(() => {
    archive.events.notice(runId, 'error', 'run-failed', why, nowMs);
    cancelJobs(archive, runId, 'the run failed', nowMs);
    archive.runs.setState(runId, 'failed', why, nowMs);
  });
}
