import type { Archive } from '#archive/archive.ts';
import type { RunId } from '#archive/schema.ts';
import { handsOutJobs } from './run-states.ts';

/** So many failures in a row, with no job done in between, pause a run: retrying will not mend it. */
const MOST_FAILURES = 8;

/** Counts failures of the harness in a row, and pauses a run that has too many. A restart counts from 0 again. */
export class HarnessBreaker {
  readonly #inARow = new Map<RunId, number>();
  readonly #archive: Pick<Archive, 'events' | 'runs' | 'transaction'>;
  readonly #clock: () => number;

  constructor({
    archive,
    clock,
  }: {
    archive: Pick<Archive, 'events' | 'runs' | 'transaction'>;
    clock: () => number;
  }) {
    this.#archive = archive;
    this.#clock = clock;
  }

  /** The harness failed at a job of the run. What is still under way in a run that pauses already counts for nothing. */
  failed(runId: RunId, reason: string): void {
    const run = this.#archive.runs.get(runId);
    if (run === null || !handsOutJobs(run.state)) return;
    const inARow = (this.#inARow.get(runId) ?? 0) + 1;
    this.#inARow.set(runId, inARow);
    if (inARow >= MOST_FAILURES) this.#pause(runId, inARow, reason);
  }

  /** A job of the run was done, or an operator has mended the harness. */
  reset(runId: RunId): void {
    this.#inARow.delete(runId);
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
