import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Archive, openArchive } from '#archive/archive.ts';
import { type Event, type Run, type RunId, RunSpec } from '#archive/schema.ts';
import { type SandboxDriver, SandboxUnavailable } from '#sandbox/sandbox.ts';
import type { Gateway } from '#services/gateway/gateway.ts';
import { createLog } from '#services/log.ts';
import { createMemoryQueue } from '#services/queue/memory.ts';
import type { Doorbell, Queue } from '#services/queue/queue.ts';
import { createControl } from '#services/scheduler/control.ts';
import { createDiskWatch, type DiskWatch } from '#services/scheduler/disk-watch.ts';
import { Fleet } from '#services/scheduler/fleet.ts';
import { reconcile } from '#services/scheduler/reconcile.ts';
import { Scheduler } from '#services/scheduler/scheduler.ts';
import type { ControlClient } from '#services/worker/control-client.ts';
import { type JobOptions, workOn } from '#services/worker/worker.ts';
import { aTask } from '#test/benchmarks/a-task.ts';

export interface HouseOptions {
  home: string;
  /**
   * Asked before every job for a sandbox driver; what it throws is the harness's trouble. By default there is one. No job
   * opens a sandbox: the seed agent has no command, which makes every trial end as `crashed`, and every proposal throw.
   */
  driver?: JobOptions['chooseDriver'];
  disk?: DiskWatch;
  /** Milliseconds since the epoch at the start. */
  nowMs?: number;
  /** False: nobody takes jobs, but for the test itself. */
  works?: boolean;
  /** True: jobs are for workers that joined `fleet` alone. By default anybody may take any. */
  hasFleet?: boolean;
}

/** The real archive, control, queue, worker and scheduler, put together as a service does it. */
export interface House extends AsyncDisposable {
  archive: Archive;
  scheduler: Scheduler;
  control: ControlClient;
  fleet: Fleet;
  clock: () => number;
  /** Begins a run on the tasks `t0`, `t1`, ... as many as `tasks` says. */
  begin(spec: object, tasks?: number): Promise<Run>;
  run(id: RunId): Run;
  notices(id: RunId): (Event['data'] & { kind: 'notice' })[];
  /** Moves the clock on. */
  pass(ms: number): void;
  /** Waits, for at most 20 s, until something holds; the clock moves on by `passMs` at each look. */
  until(holds: () => boolean, passMs?: number): Promise<void>;
}

const allTasks = Array.from({ length: 40 }, (_, n) => aTask({ id: `t${n}` }));

/** A policy that measures the seed agent on so many tasks before it would do anything else. */
export const measuring = (trialsPerAgent: number) => ({ kind: 'uniform', trialsPerAgent });

export async function openHouse(options: HouseOptions): Promise<House> {
  await using opening = new AsyncDisposableStack();
  const archive = opening.use(await openArchive(options.home, { create: true }));
  const log = createLog('silent');
  let nowMs = options.nowMs ?? 1_000_000;
  const clock = () => nowMs;
  await reconcile(archive, [], nowMs, log);
  const queue = createMemoryQueue();
  const disk = options.disk ?? createDiskWatch(options.home, 0);
  const seed = { ...(await archive.repository.commitSeed(seedDirectory(options.home))), summary: 'Seed agent' };
  const prepareRun = async (spec: RunSpec) => {
    return { spec, suiteDigest: 'd', tasks: spec.tasks ?? [], heldOut: [], prices: {}, roots: [seed] };
  };
  const fleet = new Fleet({ archive, disk, clock, log, version: '1.2.3', redisUrl: null });
  const facts = options.hasFleet ? { fleet } : {};
  const scheduler = opening.use(new Scheduler({ archive, queue, disk, prepareRun, clock, log, sweepMs: 10, ...facts }));
  const suite = async () => ({ name: 's', title: 'S', digest: 'd', tasks: allTasks, excluded: [] });
  const control = createControl({
    ...{ archive, gateway: noGateway, suite, clock, log, disk, breaker: scheduler.breaker },
    mayClaim: (jobId, worker) => !options.hasFleet || fleet.mayClaim(jobId, worker),
    onProgress: (progress) => scheduler.board.note(progress),
    settledBefore: (runId, proposal) => scheduler.settledBefore(runId, proposal),
  });
  const { driver = async () => idleDriver } = options;
  if (options.works !== false) opening.use(workFrom(queue, { client: control, chooseDriver: driver, log }));
  const parts = opening.move();
  const until: House['until'] = async (holds, passMs = 0) => {
    for (let waited = 0; waited < 20_000; waited += 10) {
      if (holds()) return;
      nowMs += passMs;
      await sleep(10);
    }
    throw new Error('waited 20 s in vain');
  };
  return {
    ...{ archive, scheduler, control, fleet, clock, until },
    begin: (spec, tasks = 6) =>
      scheduler.createRun(RunSpec.parse({ tasks: names(tasks), allowUnsandboxed: true, ...spec }), nowMs),
    run: (id) => archive.runs.get(id)!,
    notices: (id) =>
      archive.events.after({ runId: id, seq: 0 }).flatMap(({ data }) => (data.kind === 'notice' ? [data] : [])),
    pass(ms) {
      nowMs += ms;
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** A driver that is there and opens nothing. */
export const idleDriver: SandboxDriver = {
  name: 'process',
  isolates: false,
  images: null,
  diagnose: async () => ({
    driver: 'process',
    available: true,
    detail: '',
    enforces: { memory: false, pids: false, cpus: false, disk: false, network: false },
  }),
  prepare: async () => {},
  open: async () => {
    throw new SandboxUnavailable('no sandbox in this test');
  },
  reap: async () => [],
};

/** A driver that can be taken away and given back. */
export function switchedDriver() {
  const state = { works: true, asked: 0 };
  const choose: JobOptions['chooseDriver'] = async () => {
    state.asked += 1;
    if (!state.works) throw new SandboxUnavailable('the engine is down');
    return idleDriver;
  };
  return Object.assign(state, { choose });
}

/** A driver for which every job waits until it is given, or until the job ends. */
export function awaitedDriver() {
  const given = Promise.withResolvers<SandboxDriver>();
  let waiting = 0;
  const choose: JobOptions['chooseDriver'] = (_wanted, signal) => {
    waiting += 1;
    const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    return Promise.race([given.promise, aborted]);
  };
  return {
    choose,
    waiting: () => waiting,
    give: () => given.resolve(idleDriver),
    fail: () => given.reject(new Error('the engine is down')),
  };
}

const noGateway: Gateway = {
  handle: async () => Response.json({ error: { message: 'nobody is there' } }, { status: 503 }),
  idle: async () => {},
  [Symbol.asyncDispose]: async () => {},
};

/** Does the jobs that a queue tells of, until it is disposed of. */
export function workFrom(queue: Queue, options: Omit<JobOptions, 'name'>, slots = Number.POSITIVE_INFINITY) {
  const [stop, abandon] = [new AbortController(), new AbortController()];
  const signals = { stop: stop.signal, abandon: abandon.signal };
  const handler = async (doorbell: Doorbell) => void (await workOn(doorbell, { name: 'w', ...options }, signals));
  const working = queue.listen(handler, { resourceClass: 'cpu', slots, signal: stop.signal });
  return {
    working,
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      abandon.abort();
      await working;
    },
  };
}

function seedDirectory(home: string): string {
  const directory = join(home, 'seed-source');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'agent.json'), '{}\n');
  return directory;
}

function names(count: number): string[] {
  return allTasks.slice(0, count).map(({ id }) => id);
}
