import type { Archive } from '#archive/archive.ts';
import type { Job, JobId } from '#archive/schema.ts';
import { CPU_CLASS } from '#services/resource-class.ts';
import { EMBEDDED, type Orders, type WorkerDescription } from '#services/worker/fleet.ts';
import { canServe, inService, slotsFor } from './serving.ts';
import { type Standing, workerState } from './worker-view.ts';

/** A job that one worker was told of is left to it for so long, before another is told. */
const HINT_MS = 2_000;
/** Jobs that are ready are looked up at most so often. */
const LOOK_MS = 100;

export interface AssignmentDependencies {
  archive: Pick<Archive, 'jobs' | 'runs' | 'workers'>;
  clock: () => number;
  standings: ReadonlyMap<string, Standing>;
}

/** Which worker may take which job, and of which jobs one that asks is told. */
export class Assignment {
  readonly #deps: AssignmentDependencies;
  readonly #hintedMs = new Map<JobId, number>();
  #seen: { atMs: number; ready: Job[] } = { atMs: Number.NEGATIVE_INFINITY, ready: [] };

  constructor(deps: AssignmentDependencies) {
    this.#deps = deps;
  }

  /** Whether the worker may take the job: it works, can serve it, and no other has failed at it less often. */
  mayClaim(jobId: JobId, worker: string): boolean {
    const job = this.#deps.archive.jobs.get(jobId);
    if (job === null || !this.#works(worker) || !this.serves(worker, job)) return false;
    return !this.#leavesToOthers(job, worker);
  }

  /** Those that live, are well and meant to work. */
  active(): string[] {
    return [...this.#deps.standings.keys()].filter((name) => this.#stateOf(name) === 'active');
  }

  /** Those that live and are meant to work, each with what it has at the moment. */
  working(): WorkerDescription[] {
    return [...this.#deps.standings].flatMap(([name, standing]) => (this.#works(name) ? [inService(standing)] : []));
  }

  /** Whether it has what the job needs. */
  serves(worker: string, { runId, resourceClass }: Pick<Job, 'runId' | 'resourceClass'>): boolean {
    const standing = this.#deps.standings.get(worker);
    const description = standing === undefined ? null : inService(standing);
    if (description === null || slotsFor(description, resourceClass) === 0) return false;
    if (worker === EMBEDDED) return true;
    const { runs } = this.#deps.archive;
    const run = runs.get(runId);
    return run !== null && canServe(description, { spec: run.spec, prices: runs.prices(runId) }, resourceClass);
  }

  /** `cpu`, and whatever else is needed by runs that go on and to be had there. */
  classesFor(description: WorkerDescription): Orders['classes'] {
    const names = new Set([CPU_CLASS, ...this.#deps.archive.runs.classesNeeded()]);
    return [...names].flatMap((name) => {
      const slots = slotsFor(description, name);
      return slots === 0 ? [] : [{ name, slots }];
    });
  }

  /** Of jobs that are ready, at most as many as it wants; none that another was told of a moment ago. */
  hintsFor(description: WorkerDescription, wants: number): Orders['hints'] {
    const { clock } = this.#deps;
    const nowMs = clock();
    for (const [jobId, hintedMs] of this.#hintedMs) if (nowMs - hintedMs >= HINT_MS) this.#hintedMs.delete(jobId);
    const room = new Map<string, number>();
    const hints: Orders['hints'] = [];
    for (const { id, resourceClass } of wants === 0 ? [] : this.#ready()) {
      const left = room.get(resourceClass) ?? slotsFor(description, resourceClass);
      if (left === 0 || this.#hintedMs.has(id) || !this.mayClaim(id, description.name)) continue;
      room.set(resourceClass, left - 1);
      this.#hintedMs.set(id, nowMs);
      hints.push({ jobId: id, resourceClass });
      if (hints.length >= wants) break;
    }
    return hints;
  }

  /** Many workers ask at once when none of them is rung for. */
  #ready(): Job[] {
    const atMs = performance.now();
    if (atMs - this.#seen.atMs >= LOOK_MS)
      this.#seen = { atMs, ready: this.#deps.archive.jobs.ready(null, this.#deps.clock()) };
    return this.#seen.ready;
  }

  /** Whether another that takes jobs has failed at the job less often. */
  #leavesToOthers(job: Job, worker: string): boolean {
    const failures = this.#deps.archive.jobs.failures(job.id);
    const count = (name: string) => failures.filter((failure) => failure.worker === name).length;
    const own = count(worker);
    return own > 0 && this.active().some((other) => count(other) < own && this.serves(other, job));
  }

  /** Whether it lives and is meant to work. */
  #works(worker: string): boolean {
    const state = this.#stateOf(worker);
    return state === 'active' || state === 'unwell';
  }

  #stateOf(worker: string) {
    const { archive, clock } = this.#deps;
    const standing = this.#deps.standings.get(worker);
    if (standing === undefined) return null;
    const { instance } = standing;
    return workerState(archive.workers.get(worker) ?? { desired: 'active', instance }, standing, clock());
  }
}
