import { createHash } from 'node:crypto';
import { globSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { openArchive } from '#archive/archive.ts';
import type { Event, RunId } from '#archive/schema.ts';
import { replay } from '#services/scheduler/replay.ts';
import { paymentsOf } from '#test/e2e/payments.ts';
import { postRun, runIn } from '#test/service-process.ts';
import type { Section } from '../sections.ts';
import { type CutProxy, openCutProxy } from './cut-proxy.ts';
import type { FleetBench } from './fleet-bench.ts';
import { openStage, type Part, type Stage } from './stage.ts';
import { eventsOf, quantile } from './timeline.ts';

const WORKERS = 4;
const SLOTS = 2;
const TRIALS_A_RUN = 120;
/** Between the beginnings of two faults. */
const PAUSE_MS = 1_200;
/** A worker that is stopped for so long has lost its leases. */
const LONGER_THAN_A_LEASE_MS = 36_000;

/** What is left of runs over a fleet whose parts die, stop and lose each other. */
export const faults: Section<FleetBench> = {
  title: 'Seeded faults over workers, control, Redis and the network',
  async measure({ faults: count, sandbox, randomSeed, say }) {
    const before = leftovers('*');
    await using scene = await openScene(sandbox);
    const random = xoroshiro128plus(randomSeed);
    const draw = (until: number): number => Math.floor(uniformFloat64(random) * until);
    const runs: RunId[] = [];
    // One worker's worth of slots is free, so that what is measured of a dead one's jobs is not the wait for a slot.
    const spec = { suite: 'katas', sandbox, slots: (WORKERS - 1) * SLOTS, budget: { trials: TRIALS_A_RUN } };
    const begun: Begun[] = [];
    const underWay = new Set<Promise<void>>();
    for (let at = 0; at < count; at += 1) {
      if (runs.length === 0 || (await isOver(scene.stage.home, runs.at(-1)!))) {
        const run = await patiently(() => postRun(scene.stage.url, { ...spec, randomSeed: runs.length + 1 }));
        runs.push(run.id);
      }
      const fault = await scene.begin(draw);
      begun.push({ kind: fault.kind, worker: fault.worker, atMs: Date.now() });
      const over: Promise<void> = fault.over.finally(() => underWay.delete(over));
      underWay.add(over);
      if ((at + 1) % 20 === 0) say(`  ${at + 1} of ${count} faults, ${runs.length} runs`);
      await sleep(PAUSE_MS / 2 + draw(PAUSE_MS));
    }
    await Promise.all(underWay);
    for (const id of runs) await patiently(() => runIn(scene.stage.url, id, ['finished', 'failed'], 900_000));
    await scene.endWorkers();
    return await audit(scene.stage, runs, begun, before);
  },
};

interface Begun {
  kind: string;
  worker: string | null;
  atMs: number;
}

interface Scene extends AsyncDisposable {
  stage: Stage;
  /** Begins a fault that is drawn among those that nothing is wrong with yet. */
  begin(draw: (until: number) => number): Promise<{ kind: string; worker: string | null; over: Promise<void> }>;
  endWorkers(): Promise<void>;
}

async function openScene(sandbox: string): Promise<Scene> {
  await using opening = new AsyncDisposableStack();
  let port = 0;
  const proxy = opening.use(await openCutProxy(() => port));
  const stage = opening.use(await openStage(new URL(proxy.url).host));
  port = Number(new URL(stage.url).port);
  const workers = new Map<string, Part>();
  const beginWorker = (name: string): void => {
    const args = ['--control', proxy.url, '--slots', String(SLOTS), '--name', name];
    workers.set(name, stage.worker([...args, '--home', join(stage.home, 'workers', name)]));
  };
  for (let at = 1; at <= WORKERS; at += 1) beginWorker(`w${at}`);
  await stage.workersIn(WORKERS);
  const troubled = new Set<string>();
  const faultsNow = () => candidates({ stage, proxy, workers, beginWorker, sandbox });
  const all = opening.move();
  return {
    stage,
    async begin(draw) {
      for (;;) {
        const free = faultsNow().filter(({ part }) => !troubled.has(part));
        const fault = free[draw(free.length)];
        if (fault !== undefined) {
          troubled.add(fault.part);
          const over = fault.run(draw).finally(() => troubled.delete(fault.part));
          return { kind: fault.kind, worker: workers.has(fault.part) ? fault.part : null, over };
        }
        await sleep(200);
      }
    },
    async endWorkers() {
      await Promise.all([...workers.values()].map((worker) => worker.end('SIGTERM')));
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

interface Fault {
  kind: string;
  /** What of the fleet it strikes; nothing is struck twice at once. */
  part: string;
  /** Resolves once it is mended. */
  run(draw: (until: number) => number): Promise<void>;
}

interface Struck {
  stage: Stage;
  proxy: CutProxy;
  workers: ReadonlyMap<string, Part>;
  beginWorker: (name: string) => void;
  sandbox: string;
}

function candidates({ stage, proxy, workers, beginWorker, sandbox }: Struck): Fault[] {
  const ofWorkers = [...workers].flatMap(([name, worker]): Fault[] => [
    {
      kind: 'worker killed',
      part: name,
      run: async (draw) => {
        await worker.end('SIGKILL');
        await sleep(draw(2) === 0 ? draw(2_000) : 50_000);
        beginWorker(name);
      },
    },
    {
      kind: 'worker stopped',
      part: name,
      run: async (draw) => {
        worker.signal('SIGSTOP');
        await sleep(draw(3) === 0 ? LONGER_THAN_A_LEASE_MS : draw(5_000));
        worker.signal('SIGCONT');
      },
    },
  ]);
  const { redis } = stage;
  const others: Fault[] = [
    {
      kind: 'control killed',
      part: 'control',
      run: async (draw) => {
        await stage.control().end('SIGKILL');
        await sleep(draw(4_000));
        await stage.beginControl();
      },
    },
    {
      kind: 'network cut',
      part: 'network',
      run: async (draw) => {
        proxy.cut();
        await sleep(draw(5) === 0 ? LONGER_THAN_A_LEASE_MS : draw(6_000));
        proxy.mend();
      },
    },
    {
      kind: 'Redis killed',
      part: 'redis',
      run: async (draw) => {
        await redis.kill();
        await sleep(draw(8_000));
        await redis.restart();
      },
    },
    { kind: 'Redis wiped', part: 'redis', run: async () => void (await redis.command('FLUSHALL')) },
    {
      kind: 'Redis frozen',
      part: 'redis',
      run: async (draw) => {
        redis.freeze();
        await sleep(draw(8_000));
        redis.thaw();
      },
    },
  ];
  const ofDocker: Fault = {
    kind: 'container killed',
    part: 'docker',
    run: async (draw) => await killContainer(stage, draw),
  };
  return [...ofWorkers, ...others, ...others, ...(sandbox === 'docker' ? [ofDocker, ofDocker] : [])];
}

async function killContainer({ home }: Stage, draw: (until: number) => number): Promise<void> {
  const docker = new Docker();
  const containers = await docker.listContainers({ filters: { label: [`dev.clade.owner=${await ownerOf(home)}`] } });
  const struck = containers[draw(containers.length)];
  if (struck !== undefined)
    await docker
      .getContainer(struck.Id)
      .kill()
      .catch(() => {});
}

async function ownerOf(home: string): Promise<string> {
  await using archive = await openArchive(home, { readOnly: true });
  return archive.ownerId;
}

async function isOver(home: string, id: RunId): Promise<boolean> {
  await using archive = await openArchive(home, { readOnly: true });
  return ['finished', 'failed', 'stopped'].includes(archive.runs.get(id)?.state ?? '');
}

/** Control may be dead just now. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (tries >= 300) throw error;
      await sleep(1_000);
    }
  }
}

async function audit(stage: Stage, runs: readonly RunId[], begun: readonly Begun[], before: readonly string[]) {
  await using archive = await openArchive(stage.home, { readOnly: true });
  const hash = createHash('sha256').update(archive.ownerId).digest('hex').slice(0, 12);
  const counts = { trials: 0, lost: 0, duplicated: 0, setAside: 0, paidTwice: 0, ambiguous: 0, unaccountedUusd: 0 };
  const states: Record<string, number> = {};
  const moved: number[] = [];
  let different = 0;
  for (const id of runs) {
    const run = archive.runs.get(id)!;
    states[run.state] = (states[run.state] ?? 0) + 1;
    const trials = archive.trials.list(id);
    const events = await eventsOf(stage.home, id);
    const settled = Map.groupBy(
      events.flatMap(({ data }) => (data.kind === 'trial-settled' ? [data.trial] : [])),
      (trial) => trial,
    );
    const payments = paymentsOf(archive, id);
    counts.trials += trials.length;
    counts.lost += trials.filter(({ outcome }) => outcome === null).length + archive.jobs.open(id).length;
    counts.duplicated += [...settled.values()].filter(({ length }) => length > 1).length;
    counts.setAside += trials.filter(({ outcome }) => outcome === 'infra').length;
    counts.paidTwice += payments.paidTwice.length;
    counts.ambiguous += payments.ambiguous;
    const ledger = archive.ledger.spend(id).reduce((sum, row) => sum + row.spentUusd, 0);
    counts.unaccountedUusd += Math.abs(ledger - run.spentUusd) + run.reservedUusd;
    if (replay(archive, id).firstDifference !== null) different += 1;
    moved.push(...movedAfter(events, begun));
  }
  const leaked = [
    ...leftovers(hash).filter((name) => !before.includes(name)),
    ...readdirSync(join(stage.home, 'worktrees')),
    ...(await containersOf(archive.ownerId)),
  ];
  const byKind = Object.entries(Object.groupBy(begun, ({ kind }) => kind)).map(
    ([kind, those = []]) => `${kind} ${those.length}`,
  );
  return {
    head: [
      'faults',
      'runs',
      'trials',
      'lost',
      'duplicated',
      'paid twice',
      'unaccounted',
      'leaked',
      'set aside',
      'in doubt',
    ],
    rows: [
      [
        ...[begun.length, runs.length, counts.trials, counts.lost, counts.duplicated, counts.paidTwice].map(String),
        `${counts.unaccountedUusd} µ$`,
        ...[leaked.length, counts.setAside, counts.ambiguous].map(String),
      ],
    ],
    notes: [
      byKind.join(', '),
      `Runs: ${JSON.stringify(states)}; decisions that replay otherwise: ${different}.`,
      moved.length === 0
        ? 'No job of a killed worker was taken by another.'
        : `A killed worker's job was taken again after ${(quantile(moved, 0.5) / 1000).toFixed(1)} s (median), ${(Math.max(...moved) / 1000).toFixed(1)} s at most, of ${moved.length}.`,
      'In doubt: calls under way when what made them died, which are charged.',
    ],
    figures: { ...counts, faults: begun.length, states, different, leaked, movedMs: moved },
  };
}

/** How long each job that a killed worker held waited for the next one. */
function movedAfter(events: readonly Event[], begun: readonly Begun[]): number[] {
  const kills = begun.filter(({ kind }) => kind === 'worker killed');
  return kills.flatMap(({ worker, atMs }) => {
    const held = new Map<string, number>();
    for (const { at, data } of events) {
      if (at > atMs) break;
      if (data.kind === 'job-claimed' && data.worker === worker) held.set(data.job, at);
      if (data.kind === 'job-requeued') held.delete(data.job);
      if (data.kind === 'trial-settled') held.delete(data.trial);
      if (data.kind === 'proposal-settled') held.delete(data.proposal);
    }
    return [...held.keys()].flatMap((job) => {
      const next = events.find(({ at, data }) => at > atMs && data.kind === 'job-claimed' && data.job === job);
      return next === undefined ? [] : [next.at - atMs];
    });
  });
}

/** Directories and control groups of sandboxes. */
function leftovers(hash: string): string[] {
  return [
    ...globSync(`clade-${hash}-*`, { cwd: tmpdir() }),
    ...globSync(`**/clade-${hash}-*`, { cwd: '/sys/fs/cgroup' }),
  ];
}

async function containersOf(owner: string): Promise<string[]> {
  const containers = await new Docker()
    .listContainers({ all: true, filters: { label: [`dev.clade.owner=${owner}`] } })
    .catch(() => []);
  return containers.map(({ Id }) => Id);
}
