import type { Archive } from '#archive/archive.ts';
import type { RunId } from '#archive/schema.ts';
import { handsOutJobs } from './run-states.ts';

/** So many failures in a row, with no job done in between, pause a run: retrying will not mend it. */
const MOST_FAILURES = 8;

export interface HarnessBreakerDependencies {
  archive: Pick<Archive, 'events' | 'runs' | 'transaction'>;
  clock: () => number;
  /** Whether there are workers beside these that take jobs. By default there are none. */
  hasOthers?: (than: ReadonlySet<string>) => boolean;
}

interface Streak {
  failures: number;
  workers: Set<string>;
}

/**
 * Counts failures of the harness in a row, and pauses a run that has too many, unless there are workers that had no part in
 * them: a machine that fails is no reason to stop the others. A restart counts from 0 again.
 */
export class HarnessBreaker {
  readonly #streaks = new Map<RunId, Streak>();
  readonly #archive: HarnessBreakerDependencies['archive'];
  readonly #clock: () => number;
  readonly #hasOthers: (than: ReadonlySet<string>) => boolean;

  constructor({ archive, clock, hasOthers = () => false }: HarnessBreakerDependencies) {
    this.#archive = archive;
    this.#clock = clock;
    this.#hasOthers = hasOthers;
  }

  /** The harness failed at a job of the run on a worker. What is still under way in a run that pauses already counts for nothing. */
  failed(runId: RunId, reason: string, worker: string): void {
    const run = this.#archive.runs.get(runId);
    if (run === null || !handsOutJobs(run.state)) return;
    const streak = this.#streaks.get(runId) ?? { failures: 0, workers: new Set() };
    streak.failures += 1;
    streak.workers.add(worker);
    this.#streaks.set(runId, streak);
    if (streak.failures >= MOST_FAILURES && !this.#hasOthers(streak.workers))
      this.#pause(runId, streak.failures, reason);
  }

  /** A job of the run was done, or an operator has mended the harness. */
  reset(runId: RunId): void {
    this.#streaks.delete(runId);
  }

  #pause(runId: RunId, inARow: number, reason: string): void {
    const { runs, events } = this.#archive;
    const why = `the harness failed ${inARow} times in a row; last: ${reason}. Mend it, then resume the run`;
    this.#archive.transaction(() => {
      events.notice(runId, 'error', 'harness-failing', why, this.#clock());
      runs.setState(runId, 'pausing', why, this.#clock());
    });
  }
}
