import type { Archive } from '#archive/archive.ts';
import { DiskFull } from '#archive/errors.ts';
import type { JobId, Run, RunId, RunSpec, RunState } from '#archive/schema.ts';
import { CladeError } from '#services/errors.ts';
import type { Log } from '#services/log.ts';
import type { Queue } from '#services/queue/queue.ts';
import type { Progress } from '#services/worker/control-client.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { NewRun } from './prepare-run.ts';
import { figuresOf, type RunFigures, readFigures } from './run-figures.ts';
import { RunLoop } from './run-loop.ts';

/** How often doorbells are rung again, ended leases are taken back and the disk is looked at. */
const SWEEP_MS = 1_000;
/** So many failures of the harness in a row, with no job done in between, pause a run: retrying will not mend it. */
const HARNESS_FAILURES = 8;
const DISK_FULL = 'disk full';

export interface SchedulerDependencies {
  archive: Archive;
  queue: Queue;
  disk: DiskWatch;
  /** Checks a spec and gathers what its run needs; throws what the operator should read. */
  prepareRun: (spec: RunSpec) => Promise<NewRun>;
  clock: () => number;
  log: Log;
}

/** A job under way, as an operator sees it. */
export type SlotProgress = Progress & { runId: RunId; sinceMs: number };

/** Drives every run: gives its loop a turn whenever something happened to it, and carries out what operators ask. */
export class Scheduler implements Disposable {
  readonly #loops = new Map<RunId, RunLoop>();
  readonly #figuresOfEnded = new Map<RunId, RunFigures>();
  readonly #progress = new Map<JobId, SlotProgress>();
  readonly #listeners = new Set<() => void>();
  readonly #harnessFailures = new Map<RunId, number>();
  readonly #deps: SchedulerDependencies;
  readonly #unsubscribe: () => void;
  readonly #sweeper: NodeJS.Timeout;
  #turnDue = false;
  #stopped = false;

  constructor(deps: SchedulerDependencies) {
    this.#deps = deps;
    for (const run of deps.archive.runs.list()) this.#adopt(run);
    this.#unsubscribe = deps.archive.events.onAppend(() => this.#wake());
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
    this.#sweep();
    this.#wake();
  }

  /** Starts a run. @throws CladeError or SuiteError saying what is wrong with the spec or missing here. */
  async createRun(spec: RunSpec, nowMs: number): Promise<Run> {
    const prepared = await this.#deps.prepareRun(spec);
    const run = this.#deps.archive.runs.create({ ...prepared, nowMs });
    this.#adopt(run);
    await this.#deps.archive.repository.setAgentRef(`${run.id}-a1`, prepared.seed.commit);
    return run;
  }

  /** Takes charge of a run that is in the archive. */
  #adopt(run: Run): void {
    if (isOver(run.state) || this.#loops.has(run.id)) return;
    this.#loops.set(run.id, new RunLoop(run, this.#deps));
    this.#wake();
  }

  /** Lets the work under way end and starts nothing new. @throws CladeError when the run is not running. */
  pause(runId: RunId): void {
    this.#move(runId, ['running', 'closing'], 'pausing', 'paused by an operator');
  }

  /** @throws CladeError when the run is not paused. */
  resume(runId: RunId): void {
    this.#harnessFailures.delete(runId);
    const { closing } = this.#loopOf(runId).standing;
    this.#move(runId, ['paused', 'pausing'], closing === null ? 'running' : 'closing', closing);
  }

  /** Cancels the work under way and ends the run for good; what was settled stays. @throws CladeError when it is over. */
  stop(runId: RunId): void {
    this.#move(runId, ['running', 'closing', 'pausing', 'paused'], 'stopping', 'stopped by an operator');
    for (const { id } of this.#deps.archive.jobs.open(runId)) {
      this.#deps.archive.jobs.setAside({ jobId: id }, 'cancelled', 'the run was stopped', this.#deps.clock());
    }
  }

  /** Who leads by the run's own rule, and how far its budget is used. @throws CladeError when there is no such run. */
  figures(runId: RunId): RunFigures {
    const run = this.#runOf(runId);
    const loop = this.#loops.get(runId);
    if (loop === undefined) return this.#figuresOf(run);
    loop.catchUp();
    return figuresOf(loop.standing, run.spec, this.#deps.clock());
  }

  /** What is being done now, oldest first. */
  progress(): SlotProgress[] {
    return [...this.#progress.values()];
  }

  /** Called whenever `progress` changed. @returns how to stop being called. */
  onProgress(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A worker says what it is doing. */
  note(progress: Progress): void {
    const job = this.#deps.archive.jobs.get(progress.jobId);
    if (job === null || job.state !== 'leased') return;
    const sinceMs = this.#progress.get(job.id)?.sinceMs ?? this.#deps.clock();
    this.#progress.set(job.id, { ...progress, runId: job.runId, sinceMs });
    this.#tell();
  }

  /** Counts failures of the harness; pauses a run that has too many in a row. */
  harness(runId: RunId, failed: boolean, reason: string): void {
    const inARow = failed ? (this.#harnessFailures.get(runId) ?? 0) + 1 : 0;
    this.#harnessFailures.set(runId, inARow);
    const { runs, events } = this.#deps.archive;
    if (inARow < HARNESS_FAILURES || runs.get(runId)?.state !== 'running') return;
    const why = `the harness failed ${inARow} times in a row; last: ${reason}. Mend it, then resume the run`;
    events.notice(runId, 'error', 'harness-failing', why, this.#deps.clock());
    runs.setState(runId, 'pausing', why, this.#deps.clock());
  }

  /** Starts nothing more. Work under way is the worker's to end. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    clearInterval(this.#sweeper);
    this.#unsubscribe();
  }

  #move(runId: RunId, from: RunState[], to: RunState, reason: string | null): void {
    const run = this.#runOf(runId);
    if (!from.includes(run.state)) {
      throw new CladeError('wrong-state', `Run ${runId} is ${run.state}; this needs it to be ${from.join(' or ')}.`);
    }
    this.#deps.archive.runs.setState(runId, to, reason, this.#deps.clock());
  }

  #runOf(runId: RunId): Run {
    const run = this.#deps.archive.runs.get(runId);
    if (run === null) throw new CladeError('not-found', `There is no run ${runId}. List the runs to find its id.`);
    return run;
  }

  #loopOf(runId: RunId): RunLoop {
    const loop = this.#loops.get(runId);
    if (loop === undefined) throw new CladeError('wrong-state', `There is no unfinished run ${runId}.`);
    loop.catchUp();
    return loop;
  }

  /** Nothing happens to a run that has ended, so its events are folded once. */
  #figuresOf(run: Run): RunFigures {
    const known = this.#figuresOfEnded.get(run.id);
    if (known !== undefined) return known;
    const figures = readFigures(this.#deps.archive, run, this.#deps.clock());
    if (isOver(run.state)) this.#figuresOfEnded.set(run.id, figures);
    return figures;
  }

  /** Gives every run a turn, once however often it was asked for in the meantime. */
  #wake(): void {
    if (this.#turnDue || this.#stopped) return;
    this.#turnDue = true;
    setImmediate(() => {
      this.#turnDue = false;
      if (!this.#stopped) this.#guarded(() => this.#turns());
    });
  }

  #turns(): void {
    this.#forgetEndedJobs();
    if (this.#deps.disk.full() !== null) {
      this.#pauseForDisk();
      return;
    }
    for (const [runId, loop] of this.#loops) {
      loop.turn();
      const run = this.#deps.archive.runs.get(runId);
      if (run === null || isOver(run.state)) this.#loops.delete(runId);
    }
  }

  #sweep(): void {
    this.#guarded(() => {
      const { archive, clock, queue } = this.#deps;
      if (this.#deps.disk.full() !== null) {
        this.#pauseForDisk();
        return;
      }
      this.#resumeFromDisk();
      for (const { id } of archive.jobs.expired(clock())) archive.jobs.expire(id, clock());
      for (const { id } of archive.jobs.ready(null, clock())) void queue.ring({ jobId: id });
    });
  }

  /** A disk that fills up between two looks ends up here as well; the next sweep tries again. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof DiskFull)) this.#deps.log.error({ err: error }, 'the scheduler stumbled; it goes on');
      else this.#deps.log.warn({ err: error }, 'the disk is full; nothing new is begun');
    }
  }

  #pauseForDisk(): void {
    const { archive, disk, clock } = this.#deps;
    const why = disk.full();
    for (const runId of this.#loops.keys()) {
      const state = archive.runs.get(runId)?.state;
      if (why === null || (state !== 'running' && state !== 'closing')) continue;
      archive.events.notice(runId, 'error', 'disk-full', why, clock());
      archive.runs.setState(runId, 'pausing', why, clock());
    }
    for (const runId of this.#loops.keys()) this.#loops.get(runId)!.turn();
  }

  #resumeFromDisk(): void {
    for (const runId of this.#loops.keys()) {
      const run = this.#deps.archive.runs.get(runId);
      const waits = run?.state === 'paused' || run?.state === 'pausing';
      if (waits && run.reason?.startsWith(DISK_FULL)) this.resume(runId);
    }
  }

  #forgetEndedJobs(): void {
    let changed = false;
    for (const jobId of this.#progress.keys()) {
      if (this.#deps.archive.jobs.get(jobId)?.state === 'leased') continue;
      this.#progress.delete(jobId);
      changed = true;
    }
    if (changed) this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function isOver(state: RunState): boolean {
  return state === 'finished' || state === 'stopped' || state === 'failed';
}
