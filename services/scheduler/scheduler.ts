import type { Archive } from '#archive/archive.ts';
import { DiskFull } from '#archive/errors.ts';
import type { RunKey } from '#archive/runs.ts';
import type { ProposalId, Run, RunId, RunSpec, RunState } from '#archive/schema.ts';
import { CladeError } from '#services/errors.ts';
import type { Log } from '#services/log.ts';
import type { Queue } from '#services/queue/queue.ts';
import { DiskPause, waitsForDisk } from './disk-pause.ts';
import type { DiskWatch } from './disk-watch.ts';
import { HarnessBreaker } from './harness-breaker.ts';
import { LeaseSweep } from './lease-sweep.ts';
import type { NewRun } from './prepare-run.ts';
import { ProgressBoard, type SlotProgress } from './progress-board.ts';
import { cancelJobs, failRun } from './run-endings.ts';
import { figuresOf, type RunFigures, readFigures } from './run-figures.ts';
import { RunLoop } from './run-loop.ts';
import { handsOutJobs, isOver } from './run-states.ts';
import { type Supply, UnservedWatch } from './unserved.ts';

/** How often doorbells are rung again, ended leases are taken back and the disk is looked at. */
const SWEEP_MS = 1_000;
/** A run whose turn fails so often in a row, a sweep apart, is given up. */
const MOST_STUMBLES = 3;

export interface SchedulerDependencies {
  archive: Archive;
  queue: Queue;
  disk: DiskWatch;
  /** Checks a spec and gathers what its run needs; throws what the operator should read. */
  prepareRun: (spec: RunSpec) => Promise<NewRun>;
  /** Who works. By default nobody is known. */
  fleet?: FleetFacts;
  /** Told of each run that is taken charge of, new or found at the start. */
  onAdopted?: (run: Run) => void;
  clock: () => number;
  log: Log;
  /** Default 1,000. */
  sweepMs?: number;
}

/** What the scheduler asks of the workers as a whole. */
export interface FleetFacts extends Supply {
  /** Whether a worker is known to have gone, so that the end of its leases tells nothing else. */
  isGone(worker: string): boolean;
  /** Whether there are workers beside these that take jobs. */
  hasOthers(than: ReadonlySet<string>): boolean;
}

/** Drives every run: gives its loop a turn whenever something happened to it, and carries out what operators ask. */
export class Scheduler implements Disposable {
  /** Where workers say what they are doing. */
  readonly board: ProgressBoard;
  /** Where control tells of the harness's failures. */
  readonly breaker: HarnessBreaker;
  readonly #loops = new Map<RunId, RunLoop>();
  readonly #figuresOfEnded = new Map<RunId, RunFigures>();
  /** Runs whose last turns failed, and how many of them. */
  readonly #stumbles = new Map<RunId, number>();
  readonly #deps: SchedulerDependencies;
  readonly #diskPause: DiskPause;
  readonly #leases: LeaseSweep;
  readonly #unserved: UnservedWatch | null;
  readonly #unsubscribe: () => void;
  readonly #sweeper: NodeJS.Timeout;
  #turnDue = false;
  #stopped = false;

  constructor(deps: SchedulerDependencies) {
    this.#deps = deps;
    const { archive, clock, sweepMs = SWEEP_MS } = deps;
    this.board = new ProgressBoard(deps);
    this.breaker = new HarnessBreaker({ archive, clock, hasOthers: (than) => deps.fleet?.hasOthers(than) ?? false });
    this.#diskPause = new DiskPause({ ...deps, resume: (runId) => this.#attempt(runId, () => this.resume(runId)) });
    const onEnded = (runId: RunId, reason: string, worker: string) => {
      if (!deps.fleet?.isGone(worker)) this.breaker.failed(runId, reason, worker);
    };
    this.#leases = new LeaseSweep({ archive, clock, everyMs: sweepMs, onEnded });
    this.#unserved = deps.fleet === undefined ? null : new UnservedWatch({ archive, supply: deps.fleet, clock });
    for (const run of deps.archive.runs.list()) this.#adopt(run);
    this.#unsubscribe = deps.archive.events.onAppend(() => this.#wake());
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs).unref();
    this.#sweep();
    this.#wake();
  }

  /** Starts a run, and stores it with its key. @throws CladeError or SuiteError: the spec is wrong or something is missing. */
  async createRun(spec: RunSpec, nowMs: number, key?: RunKey): Promise<Run> {
    const prepared = await this.#deps.prepareRun(spec);
    const run = this.#deps.archive.runs.create({ ...prepared, key, nowMs });
    this.#adopt(run);
    this.#guarded(() => this.#unserved?.look([run.id]));
    for (const [index, { commit }] of prepared.roots.entries())
      await this.#deps.archive.repository.setAgentRef(`${run.id}-a${index + 1}`, commit);
    return run;
  }

  /** Takes charge of a run that is in the archive. */
  #adopt(run: Run): void {
    if (isOver(run.state) || this.#loops.has(run.id)) return;
    this.#loops.set(run.id, new RunLoop(run, this.#deps));
    this.#deps.onAdopted?.(run);
    this.#wake();
  }

  /** Lets the work under way end and starts nothing new. @throws CladeError when the run is over, or rests already. */
  pause(runId: RunId): void {
    const run = this.#runOf(runId);
    const rests = run.state === 'paused' && waitsForDisk(run);
    const reason = 'paused by an operator';
    if (rests) this.#move(run, ['paused'], 'paused', reason);
    else this.#move(run, ['running', 'closing', 'pausing'], 'pausing', reason);
  }

  /** Goes on, with all failures of the harness forgiven. @throws CladeError when the run is not paused. */
  resume(runId: RunId): void {
    const { closing } = this.#loopOf(runId).standing;
    const { archive } = this.#deps;
    archive.transaction(() => {
      this.#move(this.#runOf(runId), ['paused', 'pausing'], closing === null ? 'running' : 'closing', closing);
      archive.jobs.forgive(runId);
    });
    this.breaker.reset(runId);
  }

  /** Cancels the work under way and ends the run for good; what was settled stays. @throws CladeError when it is over. */
  stop(runId: RunId): void {
    const { archive, clock } = this.#deps;
    const from: RunState[] = ['running', 'closing', 'pausing', 'paused', 'stopping'];
    archive.transaction(() => {
      this.#move(this.#runOf(runId), from, 'stopping', 'stopped by an operator');
      cancelJobs(archive, runId, 'the run was stopped', clock());
    });
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
    return this.board.list();
  }

  /** Called whenever `progress` changed. @returns how to stop being called. */
  onProgress(listener: () => void): () => void {
    return this.board.onChange(listener);
  }

  /** Of a proposal under way: those from the same parent that had settled when it began. @throws CladeError when its run is over. */
  settledBefore(runId: RunId, proposal: ProposalId): readonly ProposalId[] {
    return this.#loopOf(runId).standing.settledBefore(proposal);
  }

  /** Starts nothing more. Work under way is the worker's to end. */
  [Symbol.dispose](): void {
    this.#stopped = true;
    clearInterval(this.#sweeper);
    this.#unsubscribe();
  }

  #move({ id, state }: Run, from: RunState[], to: RunState, reason: string | null): void {
    if (!from.includes(state)) {
      throw new CladeError('wrong-state', `Run ${id} is ${state}; this needs it to be ${from.join(' or ')}.`);
    }
    this.#deps.archive.runs.setState(id, to, reason, this.#deps.clock());
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

  /** A run whose last turn failed waits for the next sweep, so that it neither holds up the others nor spins. */
  #turns(): void {
    this.board.forgetEnded();
    const full = this.#diskPause.look(this.#loops.keys());
    for (const [runId, loop] of this.#loops) if (!this.#stumbles.has(runId)) this.#turn(runId, loop, full);
  }

  #turn(runId: RunId, loop: RunLoop, diskIsFull: boolean): void {
    const { archive } = this.#deps;
    if (diskIsFull && handsOutJobs(archive.runs.get(runId)?.state ?? 'failed')) return;
    this.#attempt(runId, () => {
      loop.turn();
      this.#stumbles.delete(runId);
    });
    const run = archive.runs.get(runId);
    if (run !== null && !isOver(run.state)) return;
    this.#loops.delete(runId);
    this.#stumbles.delete(runId);
  }

  /** What goes wrong with one run is that run's trouble alone; a full disk is everybody's. @throws DiskFull */
  #attempt(runId: RunId, step: () => void): void {
    try {
      step();
    } catch (error) {
      if (error instanceof DiskFull) throw error;
      this.#stumble(runId, error);
    }
  }

  #stumble(runId: RunId, error: unknown): void {
    const inARow = (this.#stumbles.get(runId) ?? 0) + 1;
    this.#stumbles.set(runId, inARow);
    this.#deps.log.error({ err: error, runId, inARow }, 'the turn of a run failed');
    if (inARow < MOST_STUMBLES) return;
    failRun(this.#deps.archive, runId, error, this.#deps.clock());
  }

  #sweep(): void {
    this.#guarded(() => {
      const { archive, clock, queue } = this.#deps;
      const full = this.#diskPause.look(this.#loops.keys());
      for (const runId of [...this.#stumbles.keys()]) this.#turn(runId, this.#loops.get(runId)!, full);
      if (full) return;
      this.#leases.sweep();
      this.#unserved?.look(this.#loops.keys());
      for (const { id, resourceClass } of archive.jobs.ready(null, clock()))
        void queue.ring({ jobId: id, resourceClass });
    });
  }

  /** A disk that fills up between two looks ends up here as well; the next sweep tries again. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (error instanceof DiskFull) this.#deps.disk.refused();
      if (!(error instanceof DiskFull)) this.#deps.log.error({ err: error }, 'the scheduler stumbled; it goes on');
      else this.#deps.log.warn({ err: error }, 'the disk is full; nothing new is begun');
    }
  }
}
