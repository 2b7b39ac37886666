import type { Archive } from '#archive/archive.ts';
import type { Run, RunId } from '#archive/schema.ts';
import { DISK_FULL, type DiskWatch } from './disk-watch.ts';
import { handsOutJobs } from './run-states.ts';

/** Whether the run rests for want of disk space alone: it goes on by itself once there is room. */
export function waitsForDisk({ state, reason }: Pick<Run, 'state' | 'reason'>): boolean {
  return (state === 'paused' || state === 'pausing') && reason?.startsWith(DISK_FULL) === true;
}

export interface DiskPauseDependencies {
  archive: Pick<Archive, 'events' | 'runs' | 'transaction'>;
  disk: DiskWatch;
  clock: () => number;
  /** Has a paused run go on. */
  resume: (runId: RunId) => void;
}

/** Pauses runs while the disk is full, and has those that it paused go on when there is room again. */
export class DiskPause {
  readonly #deps: DiskPauseDependencies;

  constructor(deps: DiskPauseDependencies) {
    this.#deps = deps;
  }

  /** @returns whether the disk is full. @throws DiskFull when not even the pause can be written down; look again later. */
  look(runIds: Iterable<RunId>): boolean {
    const why = this.#deps.disk.full();
    for (const runId of runIds) {
      const run = this.#deps.archive.runs.get(runId);
      if (run === null) continue;
      if (why === null && waitsForDisk(run)) this.#deps.resume(runId);
      if (why !== null && handsOutJobs(run.state)) this.#pause(runId, why);
    }
    return why !== null;
  }

  #pause(runId: RunId, why: string): void {
    const { archive, clock } = this.#deps;
    archive.transaction(() => {
      archive.events.notice(runId, 'error', 'disk-full', why, clock());
      archive.runs.setState(runId, 'pausing', why, clock());
    });
  }
}
