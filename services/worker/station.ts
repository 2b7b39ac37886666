import pLimit, { type LimitFunction } from 'p-limit';
import { DiskFull } from '#archive/errors.ts';
import type { JobId, Lease } from '#archive/schema.ts';
import { CladeError } from '#services/errors.ts';
import { createMemoryQueue } from '#services/queue/memory.ts';
import type { Doorbell, Queue } from '#services/queue/queue.ts';
import { ControlAway } from './control-away.ts';
import type { FleetClient, Heartbeat, Orders, Welcome, WorkerDescription } from './fleet.ts';
import type { GpuPool } from './gpus-pool.ts';
import type { Health } from './health.ts';
import { Listening } from './listening.ts';
import { Pulse } from './pulse.ts';
import type { Remains } from './remains.ts';
import { Streak } from './streak.ts';
import { type JobOptions, type Worked, type WorkerSignals, workOn } from './worker.ts';

/** How long another of the same name may seem to live after its death: longer than its last heartbeat counts. */
const NAME_PATIENCE_MS = 20_000;
/** How often a worker asks that has nobody to ring for it, or cannot reach control. */
const ASKING_MS = 1_000;
/** A job that is ready is rung for every second. Who has room and hears nothing for so long asks whether there is something. */
const QUIET_MS = 3_000;

/** Where a worker hears doorbells. */
export interface StationQueue extends Pick<Queue, 'listen'>, Partial<AsyncDisposable> {
  /** A doorbell that came another way: it is heard by whoever listens here. */
  hint(doorbell: Doorbell): void;
  /** Whether doorbells get through at the moment; without it they do. */
  health?(): { connected: boolean };
}

export interface StationOptions extends Omit<JobOptions, 'name' | 'inSlot' | 'onClaimed' | 'gpus'> {
  description: WorkerDescription;
  /** By default there are none. */
  gpus?: Pick<GpuPool, 'leaseFor' | 'outOfService'>;
  fleet: FleetClient;
  /** Null: control has none, and tells of jobs in answer to heartbeats alone. */
  openQueue: (welcome: Welcome) => Promise<StationQueue | null>;
  health: () => Health;
  /** By default nothing is looked for. */
  remains?: Pick<Remains, 'find' | 'remove'>;
  /** Failures in a row after which it takes no jobs for a while. Default 3; Infinity: it never rests. */
  restAfter?: number;
  /** Told, in words for the operator, what changes between it and control. */
  onNews?: (text: string) => void;
}

/** Why a worker ended without an error: it was told to here, or by an operator through control. */
export type StationEnd = 'stopped' | 'drained' | 'removed';

/**
 * A worker's life: joins control, tells it every few seconds how it does, listens for the jobs it is ordered to, and leaves.
 * It outlives control's restarts and outages: it asks again until control is back, and what it holds a lease on goes on.
 * Ends when `stop` aborts and its jobs are done (`abandon` gives them back), or when an operator drains or removes it.
 * @throws CladeError with control's reason for not letting it in (any more).
 */
export async function runStation(options: StationOptions, signals: WorkerSignals): Promise<StationEnd> {
  await using station = new Station(options, signals);
  return await station.run();
}

class Station implements AsyncDisposable {
  readonly #options: StationOptions;
  readonly #stop: AbortSignal;
  /** Ends the jobs under way, on whoever's word. */
  readonly #leaving = new AbortController();
  readonly #abandon: AbortSignal;
  readonly #limit: LimitFunction;
  readonly #handled = new Set<JobId>();
  readonly #held = new Map<JobId, Lease>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #listening: Listening;
  readonly #pulse: Pulse;
  readonly #streak: Streak;
  #queue: StationQueue | null = null;
  #queueUrl: string | null | undefined;
  #heartbeatMs = ASKING_MS;
  /** Whether control knows it, as far as it has heard. */
  #isIn = false;
  #isAway = false;
  #unwell: string | null = null;
  #desired: Orders['desired'] = 'active';
  #rungMs = performance.now();

  constructor(options: StationOptions, { stop, abandon }: WorkerSignals) {
    this.#options = options;
    this.#stop = stop;
    this.#abandon = AbortSignal.any([abandon, this.#leaving.signal]);
    this.#limit = pLimit(options.description.slots);
    this.#streak = new Streak(options.restAfter);
    this.#pulse = new Pulse(stop);
    this.#listening = new Listening((doorbell, signal) => {
      this.#rungMs = performance.now();
      return this.#take(doorbell, signal);
    });
  }

  async run(): Promise<StationEnd> {
    const end = await this.#live().catch((error: unknown) => {
      this.#leaving.abort(error);
      throw error;
    });
    if (end === 'removed') this.#leaving.abort(new Error('an operator removed the worker'));
    await this.#idle();
    await this.#leave();
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening.set([], null);
    await this.#idle();
    await this.#listening.ended();
    await this.#queue?.[Symbol.asyncDispose]?.();
  }

  /** Until it is to end and, unless it was removed, has nothing under way. */
  async #live(): Promise<StationEnd> {
    for (;;) {
      const before = this.#end();
      if (before !== null) return before;
      this.#obey(this.#isIn ? await this.#beat() : await this.#join());
      if (this.#end() === null) await this.#pulse.wait(this.#pauseMs());
    }
  }

  #end(): StationEnd | null {
    if (this.#desired === 'removed') return 'removed';
    if (this.#underWay.size > 0) return null;
    if (this.#stop.aborted) return 'stopped';
    return this.#desired === 'draining' ? 'drained' : null;
  }

  /** Null: control is away. */
  async #join(): Promise<Orders | null> {
    const { fleet, description } = this.#options;
    const giveUpMs = performance.now() + NAME_PATIENCE_MS;
    for (;;) {
      try {
        const welcome = await fleet.join(description);
        this.#heartbeatMs = welcome.heartbeatMs;
        await this.#openQueue(welcome);
        this.#options.remains?.find(welcome.owner);
        this.#isIn = true;
        this.#back();
        return welcome.orders;
      } catch (error) {
        if (isAway(error)) return this.#away(error);
        const isTaken = error instanceof CladeError && error.code === 'worker-name-taken';
        if (!isTaken || performance.now() >= giveUpMs || this.#stop.aborted) throw error;
        await this.#pulse.wait(ASKING_MS);
      }
    }
  }

  /** Null: control is away. */
  async #beat(): Promise<Orders | null> {
    const { fleet, description, remains } = this.#options;
    try {
      const orders = await fleet.beat(description.name, this.#heartbeat());
      if (this.#isAway) this.#back();
      void remains?.remove(orders.over);
      return orders;
    } catch (error) {
      if (isAway(error)) return this.#away(error);
      this.#isIn = false;
      if (error instanceof CladeError && error.code === 'worker-unknown') return this.#join();
      throw error;
    }
  }

  #heartbeat(): Heartbeat {
    const { description, health, remains } = this.#options;
    const { unwell, load, diskFreeMiB } = health();
    this.#feel(unwell ?? this.#streak.rests());
    const jobs = [...this.#held.values()];
    const sandboxes = (remains?.find() ?? []).filter(({ jobId, epoch }) => this.#held.get(jobId)?.epoch !== epoch);
    const said = this.#unwell?.slice(0, 1_000) ?? null;
    const gpusOut = this.#options.gpus?.outOfService() ?? [];
    const { instance } = description;
    return { instance, unwell: said, jobs, sandboxes, gpusOut, load, diskFreeMiB, wants: this.#wants() };
  }

  /** So many jobs it would have room for, that nobody seems to ring for. */
  #wants(): number {
    const takes = this.#unwell === null && this.#desired === 'active' && !this.#stop.aborted;
    const hears = this.#hears() && performance.now() - this.#rungMs < QUIET_MS;
    const { activeCount, pendingCount } = this.#limit;
    return takes && !hears ? Math.min(this.#options.description.slots - activeCount - pendingCount, 1_000) : 0;
  }

  #hears(): boolean {
    return this.#queue !== null && (this.#queue.health?.().connected ?? true);
  }

  /** Listens for what it should, and goes after the jobs it was told of. While control is away there is nobody to claim from. */
  #obey(orders: Orders | null): void {
    if (orders !== null && orders.desired !== this.#desired) this.#hear(orders.desired);
    const takes = orders !== null && orders.desired === 'active' && this.#unwell === null && !this.#stop.aborted;
    this.#listening.set(takes ? orders.classes : [], this.#queue);
    if (takes) for (const hint of orders.hints) this.#queue?.hint(hint);
  }

  async #take(doorbell: Doorbell, stop: AbortSignal): Promise<void> {
    if (this.#stop.aborted || this.#handled.has(doorbell.jobId)) return;
    this.#handled.add(doorbell.jobId);
    const done: Promise<void> = this.#work(doorbell, stop).finally(() => {
      this.#handled.delete(doorbell.jobId);
      this.#underWay.delete(done);
      if (!this.#hears() || this.#underWay.size === 0) this.#pulse.hurry();
    });
    this.#underWay.add(done);
    await done;
  }

  async #work(doorbell: Doorbell, stop: AbortSignal): Promise<void> {
    if (this.#stop.aborted) return;
    const { description, ...options } = this.#options;
    const own = {
      name: description.name,
      inSlot: (work: () => Promise<Worked>) => this.#limit(work),
      onClaimed: (lease: Lease) => void this.#held.set(lease.jobId, lease),
    };
    const worked = await workOn(doorbell, { ...options, ...own }, { stop, abandon: this.#abandon });
    this.#held.delete(doorbell.jobId);
    if (worked.kind === 'failed') this.#streak.failed(worked.reason);
    if (worked.kind === 'ended') this.#streak.succeeded();
    if (this.#streak.rests() !== null) this.#pulse.hurry();
  }

  async #openQueue(welcome: Welcome): Promise<void> {
    if (this.#queueUrl === welcome.redisUrl) return;
    this.#listening.set([], null);
    await this.#queue?.[Symbol.asyncDispose]?.();
    this.#queueUrl = welcome.redisUrl;
    this.#queue = (await this.#options.openQueue(welcome)) ?? hintsAlone();
  }

  #pauseMs(): number {
    if (this.#isAway || !this.#hears()) return Math.min(ASKING_MS, this.#heartbeatMs);
    return this.#heartbeatMs;
  }

  #feel(unwell: string | null): void {
    if (unwell === this.#unwell) return;
    const wasUnwell = this.#unwell !== null;
    this.#unwell = unwell;
    if (unwell === null) this.#news('takes jobs again');
    else if (!wasUnwell) this.#news(`takes no jobs: ${unwell}`);
  }

  #hear(desired: Orders['desired']): void {
    this.#desired = desired;
    const says = {
      active: 'an operator has it take jobs again',
      cordoned: 'an operator has it take nothing new until it is uncordoned',
      draining: 'an operator drains it: it finishes what it has, then ends',
      removed: 'an operator removed it: it gives back what it has, and ends',
    };
    this.#news(says[desired]);
  }

  #away(error: unknown): null {
    if (!this.#isAway)
      this.#news(`${error instanceof Error ? error.message : error} It asks again until control is back.`);
    this.#isAway = true;
    return null;
  }

  #back(): void {
    if (this.#isAway) this.#news('control is back');
    this.#isAway = false;
  }

  #news(text: string): void {
    this.#options.log.info({ worker: this.#options.description.name }, text);
    this.#options.onNews?.(text);
  }

  async #idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async #leave(): Promise<void> {
    const { fleet, description, log } = this.#options;
    if (!this.#isIn) return;
    await fleet
      .leave(description.name, description.instance)
      .catch((error) => log.info({ err: error }, 'control was not told that this worker leaves'));
  }
}

/** Nobody rings; whoever asks is told. */
function hintsAlone(): StationQueue {
  const queue = createMemoryQueue();
  return { ...queue, hint: (doorbell) => void queue.ring(doorbell), health: () => ({ connected: false }) };
}

/** Whether it may come back by itself. */
function isAway(error: unknown): boolean {
  const passes = ['shutting-down', 'rate-limited', 'internal', 'no-service'];
  return (
    error instanceof ControlAway ||
    error instanceof DiskFull ||
    (error instanceof CladeError && passes.includes(error.code))
  );
}
