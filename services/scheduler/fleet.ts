import type { Archive } from '#archive/archive.ts';
import { DiskFull } from '#archive/errors.ts';
import type { Job, JobId, StoredWorker, WorkerDesired } from '#archive/schema.ts';
import { CladeError, listed } from '#services/errors.ts';
import type { Log } from '#services/log.ts';
import {
  EMBEDDED,
  type FleetClient,
  type Heartbeat,
  type Orders,
  PROTOCOL,
  type Welcome,
  WorkerDescription,
} from '#services/worker/fleet.ts';
import { Assignment } from './assignment.ts';
import type { DiskWatch } from './disk-watch.ts';
import { endLease, LEASE_MS } from './lease-sweep.ts';
import type { FleetFacts } from './scheduler.ts';
import { inService } from './serving.ts';
import { type Standing, type WorkerView, workerState } from './worker-view.ts';

const HEARTBEAT_MS = 5_000;
/** Of a worker that lives, a heartbeat is never older. Whoever comes under its name must wait until its last one is. */
const OLDEST_HEARTBEATS = 1.5;
/** A worker renews the leases it knows of far more often than this, also while it still fetches what a job needs. */
const UNHEARD_MS = 15_000;
/** How exactly it is stored when a worker was heard of. */
const SEEN_EVERY_MS = 60_000;

export interface FleetDependencies {
  archive: Pick<Archive, 'jobs' | 'ownerId' | 'runs' | 'workers'>;
  disk: Pick<DiskWatch, 'refused'>;
  clock: () => number;
  log: Log;
  /** Of Clade: workers must have the same. */
  version: string;
  /** Where workers hear doorbells; null: in answer to their heartbeats alone. */
  redisUrl: string | null;
  /** Default 5,000. */
  heartbeatMs?: number;
}

/** What an operator may ask for a worker. */
export type WorkerVerb = 'cordon' | 'uncordon' | 'drain' | 'remove';

/** The workers: who is in, how they do, and what operators want of them. */
export class Fleet implements FleetClient, FleetFacts {
  readonly #deps: FleetDependencies;
  readonly #heartbeatMs: number;
  readonly #standings = new Map<string, Standing>();
  readonly #assignment: Assignment;
  readonly #storedMs = new Map<string, number>();

  constructor(deps: FleetDependencies) {
    this.#deps = deps;
    this.#heartbeatMs = deps.heartbeatMs ?? HEARTBEAT_MS;
    this.#assignment = new Assignment({ ...deps, standings: this.#standings });
  }

  /** @throws CladeError `worker-refused` when it is another version, whatever else it says of itself. */
  assertSpeaks({ name, version, protocol }: Pick<WorkerDescription, 'name' | 'version' | 'protocol'>): void {
    if (protocol === PROTOCOL && version === this.#deps.version) return;
    throw refused(
      name,
      `it is Clade ${version} (protocol ${protocol}), and control is ${this.#deps.version} (protocol ${PROTOCOL}). ` +
        'Grading code runs on workers, so both must be the same: update the older one',
    );
  }

  /** Lets a worker in. What another process of its name held, which must have died, is taken back at once. */
  async join(description: WorkerDescription): Promise<Welcome> {
    const { archive, clock, redisUrl } = this.#deps;
    const { name, instance } = description;
    const known = archive.workers.get(name);
    this.#refuse(description, known);
    this.#stored(() => {
      archive.workers.put({ name, instance, description }, clock());
      if (known?.desired === 'draining' && known.instance !== instance) archive.workers.setDesired(name, 'cordoned');
    });
    if (known !== null && known.instance !== instance) this.#takeBack(name, 'its worker was started anew');
    const heardMs = clock();
    this.#standings.set(name, {
      instance,
      description,
      unwell: null,
      gpusOut: [],
      load: null,
      diskFreeMiB: null,
      heardMs,
    });
    this.#storedMs.set(name, heardMs);
    const orders = this.#orders(description, { wants: 0, sandboxes: [] });
    return { owner: archive.ownerId, heartbeatMs: this.#heartbeatMs, redisUrl, orders };
  }

  async beat(name: string, heartbeat: Heartbeat): Promise<Orders> {
    const { archive, clock } = this.#deps;
    const standing = this.#standings.get(name);
    if (standing === undefined) throw unknownWorker(name);
    if (standing.instance !== heartbeat.instance) throw refused(name, 'another worker has come under its name');
    const { unwell, gpusOut, load, diskFreeMiB } = heartbeat;
    Object.assign(standing, { unwell, gpusOut, load, diskFreeMiB, heardMs: clock() } satisfies Partial<Standing>);
    if (clock() - (this.#storedMs.get(name) ?? 0) >= SEEN_EVERY_MS) {
      this.#storedMs.set(name, clock());
      this.#stored(() => archive.workers.seen(name, clock()));
    }
    this.#takeBackUnknown(name, heartbeat);
    return this.#orders(inService(standing), heartbeat);
  }

  /** Whatever it still holds is taken back. One that is gone already changes nothing. */
  async leave(name: string, instance: string): Promise<void> {
    const { archive, clock } = this.#deps;
    if (this.#standings.get(name)?.instance !== instance) return;
    this.#standings.delete(name);
    this.#stored(() => archive.workers.left(name, clock()));
    this.#takeBack(name, 'its worker left');
  }

  mayClaim(jobId: JobId, worker: string): boolean {
    return this.#assignment.mayClaim(jobId, worker);
  }

  isGone(worker: string): boolean {
    const { archive, clock } = this.#deps;
    const known = archive.workers.get(worker);
    if (known === null) return false;
    const state = workerState(known, this.#standings.get(worker) ?? null, clock());
    return state === 'away' || state === 'left' || state === 'removed';
  }

  hasOthers(than: ReadonlySet<string>): boolean {
    return this.#assignment.active().some((worker) => !than.has(worker));
  }

  working(): WorkerDescription[] {
    return this.#assignment.working();
  }

  canServe(worker: string, job: Pick<Job, 'runId' | 'resourceClass'>): boolean {
    return this.#assignment.serves(worker, job);
  }

  /** All workers that are known, by name. */
  list(): WorkerView[] {
    const { archive } = this.#deps;
    const held = Map.groupBy(archive.jobs.leased(), ({ worker }) => worker);
    return archive.workers.list().flatMap((stored) => this.#view(stored, held.get(stored.name) ?? []) ?? []);
  }

  /**
   * Does what an operator asks. `remove` ends a worker that lives and lets none of its name in; one that is gone is forgotten.
   * @returns the worker as it is then; null once it is forgotten.
   * @throws CladeError `not-found`; `wrong-state` for the worker that is part of a service.
   */
  order(name: string, verb: WorkerVerb): WorkerView | null {
    const { archive } = this.#deps;
    if (archive.workers.get(name) === null)
      throw new CladeError(
        'not-found',
        `There is no worker ${JSON.stringify(name)}. Known: ${listed(archive.workers.list().map((one) => one.name))}.`,
      );
    if (name === EMBEDDED)
      throw new CladeError(
        'wrong-state',
        `Worker ${EMBEDDED} is part of the service: pause the runs, or end the service.`,
      );
    const lives = this.#standings.has(name) && !this.isGone(name);
    if (verb === 'remove' && !lives) {
      this.#takeBack(name, 'its worker was removed');
      this.#standings.delete(name);
      archive.workers.forget(name);
      return null;
    }
    archive.workers.setDesired(name, desiredBy(verb, lives));
    return this.list().find((worker) => worker.name === name) ?? null;
  }

  #refuse(description: WorkerDescription, known: StoredWorker | null): void {
    const { clock } = this.#deps;
    const { name, instance } = description;
    this.assertSpeaks(description);
    if (known?.desired === 'removed')
      throw refused(
        name,
        `an operator removed it. "clade workers uncordon ${name}" lets it in again; or choose another --name`,
      );
    const standing = this.#standings.get(name);
    if (standing === undefined || standing.instance === instance) return;
    const silentMs = clock() - standing.heardMs;
    if (silentMs >= this.#heartbeatMs * OLDEST_HEARTBEATS) return;
    throw new CladeError(
      'worker-name-taken',
      `A worker called ${name} was heard of ${Math.ceil(silentMs / 1_000)} s ago. Choose another --name, or end that one first.`,
    );
  }

  #orders(description: WorkerDescription, { wants, sandboxes }: Pick<Heartbeat, 'wants' | 'sandboxes'>): Orders {
    const { archive } = this.#deps;
    const { name } = description;
    const desired = archive.workers.get(name)?.desired ?? 'active';
    const takes = desired === 'active';
    return {
      desired,
      classes: takes ? this.#assignment.classesFor(description) : [],
      hints: takes ? this.#assignment.hintsFor(description, wants) : [],
      over: sandboxes.filter((lease) => !archive.jobs.holds(lease)),
    };
  }

  #takeBack(worker: string, reason: string): void {
    this.#end(
      this.#deps.archive.jobs.leased().filter((job) => job.worker === worker),
      reason,
    );
  }

  /** Jobs that it was given and never heard of, since the answer to its claim got lost: it neither tells of them nor renews. */
  #takeBackUnknown(worker: string, { jobs }: Heartbeat): void {
    const { archive, clock } = this.#deps;
    const known = new Set(jobs.map(({ jobId }) => jobId));
    const isUnknown = (job: Job) => job.worker === worker && !known.has(job.id);
    const renewedMs = (job: Job) => (job.leaseUntil ?? 0) - LEASE_MS;
    this.#end(
      archive.jobs.leased().filter((job) => isUnknown(job) && clock() - renewedMs(job) >= UNHEARD_MS),
      'its worker does not know of it',
    );
  }

  #end(jobs: readonly Job[], reason: string): void {
    const { archive, clock } = this.#deps;
    if (jobs.length === 0) return;
    this.#stored(() => {
      for (const job of jobs) endLease(archive, job, clock(), reason);
    });
  }

  #view(stored: StoredWorker, held: readonly Job[]): WorkerView | null {
    const standing = this.#standings.get(stored.name) ?? null;
    const described = WorkerDescription.safeParse(standing?.description ?? stored.description);
    if (!described.success) return null;
    const { instance: _, protocol: __, ...description } = described.data;
    return {
      ...description,
      state: workerState(stored, standing, this.#deps.clock()),
      desired: stored.desired,
      unwell: standing?.unwell ?? null,
      gpusOut: standing?.gpusOut ?? [],
      busy: held.length,
      jobs: held.map(({ id }) => id),
      load: standing?.load ?? null,
      diskFreeMiB: standing?.diskFreeMiB ?? null,
      firstSeenMs: stored.firstSeenMs,
      lastHeardMs: standing?.heardMs ?? stored.lastSeenMs,
    };
  }

  /** A full disk must not turn workers away: what could not be stored is known until the next restart. */
  #stored(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof DiskFull)) throw error;
      this.#deps.disk.refused();
      this.#deps.log.warn({ err: error }, 'the disk is full; what is known of workers is not stored');
    }
  }
}

function desiredBy(verb: WorkerVerb, lives: boolean): WorkerDesired {
  if (verb === 'uncordon') return 'active';
  if (verb === 'remove') return 'removed';
  // Nothing is to be waited for where nobody works; it takes no jobs when it comes back.
  return verb === 'drain' && lives ? 'draining' : 'cordoned';
}

function refused(name: string, why: string): CladeError {
  return new CladeError('worker-refused', `Worker ${name} is refused: ${why}.`);
}

function unknownWorker(name: string): CladeError {
  return new CladeError('worker-unknown', `Worker ${name} is not known here (any more). It has to join again.`);
}
