import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Archive, openArchive } from '#archive/archive.ts';
import { DiskFull } from '#archive/errors.ts';
import type { Run, RunId } from '#archive/schema.ts';
import { chooseDriver, createDrivers } from '#sandbox/drivers.ts';
import { permitsEgress } from '#sandbox/egress/policy.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { type JobDesk, openJobDesk } from './api/job-desk.ts';
import { version } from './api/version.ts';
import type { Config } from './config.ts';
import { createGateway, type Gateway } from './gateway/gateway.ts';
import { createRehearsal } from './gateway/rehearsal/rehearsal.ts';
import { createRehearsalUpstream } from './gateway/rehearsal-upstream.ts';
import { createOpenAiUpstream } from './gateway/upstream.ts';
import { createLog, type Log } from './log.ts';
import { createMetrics, type Metrics, type WorkerFigure } from './metrics/metrics.ts';
import { createBullQueue } from './queue/bullmq.ts';
import { createMemoryQueue } from './queue/memory.ts';
import type { Queue } from './queue/queue.ts';
import { createControl } from './scheduler/control.ts';
import { createDiskWatch } from './scheduler/disk-watch.ts';
import { Fleet } from './scheduler/fleet.ts';
import { ImageBringer } from './scheduler/image-bringer.ts';
import { type PrepareDependencies, prepareRun } from './scheduler/prepare-run.ts';
import { reconcile } from './scheduler/reconcile.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { sandboxAmong } from './scheduler/serving.ts';
import { SuiteShelf } from './suite-shelf.ts';
import type { ControlClient } from './worker/control-client.ts';
import { thisMachine } from './worker/description.ts';
import { EMBEDDED, PROTOCOL } from './worker/fleet.ts';
import { openGpus } from './worker/gpus.ts';
import type { GpuPool } from './worker/gpus-pool.ts';
import { HealthWatch } from './worker/health.ts';
import { runStation } from './worker/station.ts';

/** How long work under way may go on after a shutdown began. */
export const DRAIN_MS = 7_000;
/** Jobs of the embedded worker at once: as many as there are, which each run's `slots` bounds. */
const EMBEDDED_SLOTS = 10_000;

/** Decides, remembers and answers. Dispose of it to drain: work under way in it gets a few seconds, then is given back. */
export interface Service extends AsyncDisposable {
  config: Config;
  archive: Archive;
  scheduler: Scheduler;
  fleet: Fleet;
  suites: SuiteShelf;
  gateway: Gateway;
  metrics: Metrics;
  /** What workers elsewhere may ask; null: none are let in. */
  desk: JobDesk | null;
  log: Log;
}

/**
 * Control and worker in one process: opens the data directory, puts right what a crash left, and starts working on unfinished
 * runs. Here and in `compose-worker.ts` alone it is known which parts make up which role.
 * @throws ArchiveLocked, ArchiveVersion, ArchiveUnwritable from the archive.
 */
export async function compose(config: Config): Promise<Service> {
  await using opening = new AsyncDisposableStack();
  const drivers = createDrivers({ images: config.images });
  const choose = chooserOf(drivers);
  const queue = createMemoryQueue();
  const { client, ...service } = opening.use(
    await openControl(config, {
      drivers: Object.values(drivers),
      queueFor: () => queue,
      bringImages: choose,
      chooseSandbox: () => async (wanted) => {
        const { name, isolates, images } = await choose(wanted);
        return { name, isolates, hasImages: images !== null };
      },
    }),
  );
  const { scheduler, fleet, log } = service;
  const gpus = opening.use(await openGpus(config.gpus, (text) => log.warn(text)));
  const health = opening.use(new HealthWatch({ home: config.home, minFreeMiB: 0, drivers: [] }));
  const stop = new AbortController();
  const abandon = new AbortController();
  const working = runStation(
    {
      ...{ client, fleet, chooseDriver: choose, egress: config.egress, gpus, log },
      description: embeddedWorker(gpus),
      openQueue: async () => ({ ...queue, hint: (doorbell) => void queue.ring(doorbell) }),
      // What fails here fails everywhere: the run's pause tells of it, and of a full disk.
      health: () => ({ ...health.look(), unwell: null }),
      restAfter: Number.POSITIVE_INFINITY,
    },
    { stop: stop.signal, abandon: abandon.signal },
  ).catch((error: unknown) => log.error({ err: error }, 'the worker in this process has ended'));
  opening.defer(async () => {
    scheduler[Symbol.dispose]();
    stop.abort(new Error('the service is shutting down'));
    const impatience = setTimeout(() => abandon.abort(new Error('the service is shutting down')), DRAIN_MS);
    await working;
    clearTimeout(impatience);
  });
  const parts = opening.move();
  return { ...service, desk: null, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/**
 * Control alone: the same, but the work is done by workers elsewhere, which come over HTTP.
 * @throws as `compose`; CladeError `invalid-config` for a Redis that must not be used.
 */
export async function composeControl(config: Config): Promise<Service> {
  await using opening = new AsyncDisposableStack();
  const { client, ...service } = opening.use(
    await openControl(config, {
      drivers: [],
      queueFor: (archive, log) =>
        config.redisUrl === null
          ? createMemoryQueue()
          : createBullQueue({ url: config.redisUrl, prefix: queuePrefix(archive.ownerId), log }),
      bringImages: null,
      chooseSandbox: (fleet) => (wanted) => {
        const here = fleet.list().filter(({ state }) => state !== 'away' && state !== 'left' && state !== 'removed');
        return sandboxAmong(here, wanted);
      },
    }),
  );
  const desk = await openJobDesk({ control: client, directory: join(config.home, 'transfer') });
  const parts = opening.move();
  return { ...service, desk, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/** Keeps the doorbells of data directories apart that share a Redis. */
export function queuePrefix(ownerId: string): string {
  return `clade:${ownerId}`;
}

interface ClosableQueue extends Queue, Partial<AsyncDisposable> {
  /** Whether doorbells get through at the moment; without it they do. */
  health?(): { connected: boolean };
}

interface ControlParts {
  /** Those whose sandboxes a crash of this process may have left behind. */
  drivers: SandboxDriver[];
  queueFor: (archive: Archive, log: Log) => Promise<ClosableQueue> | ClosableQueue;
  /** Where images are brought to when a run begins; null: workers bring their own. */
  bringImages: ((wanted: 'auto' | DriverName) => Promise<SandboxDriver>) | null;
  chooseSandbox: (fleet: Fleet) => PrepareDependencies['chooseSandbox'];
}

/** What both roles of control share. */
async function openControl(config: Config, parts: ControlParts) {
  await using opening = new AsyncDisposableStack();
  const log = createLog(config.logLevel);
  const clock = Date.now;
  const archive = opening.use(await openArchive(config.home, { create: true }));
  await reconcile(archive, parts.drivers, clock(), log);

  const disk = createDiskWatch(archive.home, config.minFreeMiB);
  const suites = new SuiteShelf(archive.home, { allowNetwork: permitsEgress(config.egress) });
  const rehearsal = createRehearsal({ suites: () => suites.opened() });
  const gateway = opening.use(
    createGateway({
      archive,
      catalog: config.catalog,
      upstreams: {
        openai: createOpenAiUpstream({ endpointOf: config.endpointOf }),
        rehearsal: createRehearsalUpstream(rehearsal),
      },
      clock,
      onFault: (error) => {
        if (error instanceof DiskFull) disk.refused();
        log.error({ err: error }, 'the gateway failed');
      },
    }),
  );
  const queue = await parts.queueFor(archive, log);
  opening.defer(async () => await queue[Symbol.asyncDispose]?.());
  const fleet = new Fleet({ archive, disk, clock, log, version, redisUrl: config.redisUrl });
  const bringImages = parts.bringImages;
  const bringer =
    bringImages === null
      ? null
      : opening.use(
          new ImageBringer({
            ...{ archive, clock, log, chooseDriver: bringImages },
            suiteOf: (run: Run) => suiteOfRun(run.id, archive, suites),
          }),
        );
  const seedDirectory = fileURLToPath(new URL('../archive/seed', import.meta.url));
  const scheduler = opening.use(
    new Scheduler({
      ...{ archive, queue, disk, fleet, clock, log },
      prepareRun: (spec) =>
        prepareRun(spec, {
          ...{ archive, seedDirectory },
          catalog: config.catalog,
          openSuite: (name) => suites.open(name),
          chooseSandbox: parts.chooseSandbox(fleet),
          egress: config.egress,
        }),
      onAdopted: (run) => bringer?.begin(run),
    }),
  );
  const client: ControlClient = createControl({
    ...{ archive, gateway, clock, log, disk },
    suite: (runId) => suiteOfRun(runId, archive, suites),
    breaker: scheduler.breaker,
    mayClaim: (jobId, worker) => fleet.mayClaim(jobId, worker),
    onProgress: (progress) => scheduler.board.note(progress),
    settledBefore: (runId, proposal) => scheduler.settledBefore(runId, proposal),
  });
  const metrics = createMetrics({
    archive,
    workers: () => workersOf(fleet),
    ...(queue.health === undefined ? {} : { redisIsUp: () => queue.health?.().connected === true }),
  });
  const opened = opening.move();
  return {
    ...{ config, archive, scheduler, fleet, suites, gateway, metrics, client, log },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Slots of workers that are not here, and of the one in this process, stand for nothing. */
function workersOf(fleet: Fleet): WorkerFigure[] {
  return fleet.list().map(({ name, state, slots }) => {
    const counts = name !== EMBEDDED && !['away', 'left', 'removed'].includes(state);
    return { name, state, slots: counts ? slots : null };
  });
}

function embeddedWorker(gpus: GpuPool) {
  const figures = { ...thisMachine(), slots: EMBEDDED_SLOTS, labels: [], drivers: [], images: null };
  const own = { gpus: gpus.all(), gpuShare: gpus.share };
  return { name: EMBEDDED, instance: randomUUID(), version, protocol: PROTOCOL, ...figures, ...own };
}

/** Chooses each kind of driver once, unless there is none. */
function chooserOf(drivers: Record<DriverName, SandboxDriver>) {
  const chosen = new Map<string, Promise<SandboxDriver>>();
  return (wanted: 'auto' | DriverName) => {
    const choice = chosen.get(wanted) ?? chooseDriver(wanted, drivers);
    chosen.set(wanted, choice);
    choice.catch(() => chosen.delete(wanted));
    return choice;
  };
}

/** A run's suite, as it was when the run began. */
async function suiteOfRun(runId: RunId, archive: Archive, suites: SuiteShelf) {
  const run = archive.runs.get(runId);
  if (run === null) throw new Error(`there is no run ${runId} in the archive`);
  const suite = await suites.open(run.spec.suite);
  if (suite.digest === run.suiteDigest) return suite;
  throw new Error(`suite ${suite.name} has changed since run ${runId} began; put the old one back, or start a new run`);
}
