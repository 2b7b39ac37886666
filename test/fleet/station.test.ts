import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Lease } from '#archive/schema.ts';
import { CladeError } from '#services/errors.ts';
import { createLog } from '#services/log.ts';
import { ControlAway } from '#services/worker/control-away.ts';
import type { FleetClient, Heartbeat, Orders, Welcome } from '#services/worker/fleet.ts';
import { HealthWatch } from '#services/worker/health.ts';
import { Remains } from '#services/worker/remains.ts';
import { runStation, type StationOptions } from '#services/worker/station.ts';
import { Streak } from '#services/worker/streak.ts';
import { temporaryDirectory } from '#test/archive/builders.ts';
import { awaitedDriver, type House, idleDriver, measuring, openHouse } from '#test/scheduler/house.ts';
import { aWorker } from './workers.ts';

const DRAIN = new Error('the worker is shutting down');

/** A worker of a house, that control rings for only in answer to its heartbeats. */
function station(house: House, over: Partial<StationOptions> = {}) {
  const [stop, abandon] = [new AbortController(), new AbortController()];
  const news: string[] = [];
  const options: StationOptions = {
    ...{ client: house.control, fleet: quick(house.fleet), description: aWorker(), log: createLog('silent') },
    chooseDriver: async () => idleDriver,
    openQueue: async () => null,
    health: () => ({ unwell: null, load: 0, diskFreeMiB: 1_000 }),
    onNews: (text) => news.push(text),
    ...over,
  };
  const ended = runStation(options, { stop: stop.signal, abandon: abandon.signal });
  const end = async () => {
    stop.abort();
    abandon.abort(DRAIN);
    await ended.catch(() => undefined);
  };
  return { ended, news, stop, abandon, [Symbol.asyncDispose]: end };
}

/** The same, asked for a heartbeat every 20 ms. */
function quick(fleet: FleetClient): FleetClient {
  return {
    join: async (description) => ({ ...(await fleet.join(description)), heartbeatMs: 20 }),
    beat: (name, heartbeat) => fleet.beat(name, heartbeat),
    leave: (name, instance) => fleet.leave(name, instance),
  };
}

const spec = { slots: 2, policy: measuring(6), budget: { trials: 6 }, finalMeasure: false };

describe('a worker', () => {
  it('does a run to its end without any queue, and leaves when it is stopped', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false, hasFleet: true });
    const { id } = await house.begin(spec);
    await using worker = station(house);
    await house.until(() => house.run(id).state === 'finished');
    worker.stop.abort();
    expect(await worker.ended).toBe('stopped');
    expect(house.fleet.list()).toMatchObject([{ name: 'w1', state: 'left', busy: 0 }]);
  });

  it('that is drained finishes what it has, takes nothing new and ends', async () => {
    using directory = temporaryDirectory();
    const driver = awaitedDriver();
    await using house = await openHouse({ home: directory.path, works: false, hasFleet: true });
    const { id } = await house.begin(spec);
    await using worker = station(house, { chooseDriver: driver.choose });
    await house.until(() => driver.waiting() === 2);
    house.fleet.order('w1', 'drain');
    await house.until(() => worker.news.some((text) => text.includes('drains it')));
    expect(house.fleet.list()).toMatchObject([{ state: 'draining', busy: 2 }]);
    driver.give();
    expect(await worker.ended).toBe('drained');
    const claimed = house.archive.events.after({ runId: id, seq: 0 }).filter(({ data }) => data.kind === 'job-claimed');
    expect(claimed).toHaveLength(2);
    expect(house.archive.trials.list(id).filter(({ outcome }) => outcome !== null)).toHaveLength(2);
  });

  it('that is removed gives back what it has and ends', async () => {
    using directory = temporaryDirectory();
    const driver = awaitedDriver();
    await using house = await openHouse({ home: directory.path, works: false, hasFleet: true });
    const { id } = await house.begin(spec);
    await using worker = station(house, { chooseDriver: driver.choose });
    await house.until(() => driver.waiting() === 2);
    house.fleet.order('w1', 'remove');
    expect(await worker.ended).toBe('removed');
    expect(house.archive.jobs.open(id).map(({ state, infraFailures }) => [state, infraFailures])).toEqual([
      ['ready', 0],
      ['ready', 0],
    ]);
  });

  it('that is unwell takes nothing and says why, and goes on by itself when it is well', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false, hasFleet: true });
    const state: { unwell: string | null } = { unwell: '3 MiB free in /data, needs 200 MiB' };
    await using worker = station(house, { health: () => ({ ...state, load: 0, diskFreeMiB: 3 }) });
    await house.until(() => house.fleet.list()[0]?.state === 'unwell');
    const { id } = await house.begin(spec);
    await house.until(() => house.archive.jobs.ready(id, house.clock()).length === 2);
    await sleep(200);
    expect(house.fleet.list()).toMatchObject([{ busy: 0, unwell: '3 MiB free in /data, needs 200 MiB' }]);
    expect(house.archive.jobs.open(id).map(({ epoch }) => epoch)).toEqual([0, 0]);
    state.unwell = null;
    await house.until(() => house.run(id).state === 'finished');
    expect(worker.news).toEqual(['takes no jobs: 3 MiB free in /data, needs 200 MiB', 'takes jobs again']);
  });

  it('whose jobs fail one after the other rests, and says which failure it was', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false, hasFleet: true });
    const fail = async () => Promise.reject(new Error('the engine is down'));
    await using _worker = station(house, { chooseDriver: fail });
    await house.begin({ ...spec, slots: 6 });
    await house.until(() => house.fleet.list()[0]?.state === 'unwell');
    expect(house.fleet.list()[0]!.unwell).toMatch(/^the last \d jobs failed here.*the engine is down$/);
  });

  it('waits for a control that is away, comes back to one that has forgotten it, and keeps its jobs', async () => {
    using directory = temporaryDirectory();
    const driver = awaitedDriver();
    await using house = await openHouse({ home: directory.path, works: false, hasFleet: true });
    const { id } = await house.begin(spec);
    const link = { state: 'away' as 'away' | 'there' | 'forgot', joins: 0 };
    const fleet = quick(house.fleet);
    const reached = <T>(ask: () => Promise<T>): Promise<T> =>
      link.state === 'away' ? Promise.reject(new ControlAway('Control does not answer.')) : ask();
    await using worker = station(house, {
      chooseDriver: driver.choose,
      fleet: {
        join: (description) =>
          reached(() => {
            link.joins += 1;
            link.state = 'there';
            return fleet.join(description);
          }),
        beat: (name, heartbeat) =>
          reached(() => {
            if (link.state === 'forgot') throw new CladeError('worker-unknown', 'join again');
            return fleet.beat(name, heartbeat);
          }),
        leave: (name, instance) => reached(() => fleet.leave(name, instance)),
      },
    });
    await house.until(() => worker.news.length === 1);
    expect(worker.news[0]).toMatch(/Control does not answer\. It asks again until control is back/);
    link.state = 'there';
    await house.until(() => driver.waiting() === 2);
    link.state = 'forgot';
    await house.until(() => link.joins === 2);
    driver.give();
    await house.until(() => house.run(id).state === 'finished');
    const claims = house.archive.events.after({ runId: id, seq: 0 }).filter(({ data }) => data.kind === 'job-claimed');
    expect(claims).toHaveLength(6);
  });

  it('that comes back under a name whose last owner was killed gets in once that is seen to be dead', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false, hasFleet: true });
    await house.fleet.join(aWorker({ instance: 'killed' }));
    await using worker = station(house, { description: aWorker({ instance: 'new' }) });
    expect(await Promise.race([worker.ended, sleep(300, 'waits')])).toBe('waits');
    house.pass(10_000);
    await house.until(() => house.fleet.list()[0]?.lastHeardMs === house.clock());
    expect(house.archive.workers.get('w1')).toMatchObject({ instance: 'new' });
  });

  it('that is refused ends with the reason', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false, hasFleet: true });
    await using worker = station(house, { description: aWorker({ version: '9.9.9' }) });
    await expect(worker.ended).rejects.toThrow(/it is Clade 9\.9\.9/);
  });

  it('asks for jobs itself while its queue is out of reach, and not while that rings', async () => {
    const wanted: number[] = [];
    const orders: Orders = { desired: 'active', classes: [{ name: 'cpu', slots: 2 }], hints: [], over: [] };
    const queue = { connected: false };
    const fleet: FleetClient = {
      join: async (): Promise<Welcome> => ({ owner: 'o', heartbeatMs: 20, redisUrl: 'redis://r', orders }),
      beat: async (_name: string, { wants }: Heartbeat) => {
        wanted.push(wants);
        return orders;
      },
      leave: async () => {},
    };
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false });
    await using _worker = station(house, {
      fleet,
      openQueue: async () => ({
        listen: async () => undefined,
        hint: () => undefined,
        health: () => queue,
      }),
    });
    await house.until(() => wanted.length >= 1);
    expect(wanted).toEqual(wanted.map(() => 2));
    queue.connected = true;
    await house.until(() => wanted.at(-1) === 0);
  });
});

describe('the health of a worker', () => {
  it('tells of a sandbox driver that worked and fails, until it works again', async () => {
    const engine = { available: true };
    const diagnose = async () => ({
      ...({ driver: 'docker', detail: engine.available ? 'Docker 29' : 'the Docker engine does not answer' } as const),
      ...{ available: engine.available, remedy: 'systemctl restart docker' },
      enforces: { memory: true, pids: true, cpus: true, disk: true, network: true },
    });
    using directory = temporaryDirectory();
    const drivers = [{ name: 'docker', diagnose }] as const;
    using health = new HealthWatch({ home: directory.path, minFreeMiB: 0, drivers, diagnoseEveryMs: 10 });
    await until(() => health.look().unwell === null);
    engine.available = false;
    await until(() => health.look().unwell !== null);
    expect(health.look().unwell).toBe('docker: the Docker engine does not answer (systemctl restart docker)');
    engine.available = true;
    await until(() => health.look().unwell === null);
    expect(health.look().diskFreeMiB).toBeGreaterThan(0);
  });

  it('rests after three failures in a row, ever longer, and tries again', () => {
    let nowMs = 0;
    const streak = new Streak(3, () => nowMs);
    for (const reason of ['a', 'b']) streak.failed(reason);
    expect(streak.rests()).toBeNull();
    streak.failed('c');
    expect(streak.rests()).toBe('the last 3 jobs failed here, so it waits a while; the last: c');
    nowMs = 30_000;
    expect(streak.rests()).toBeNull();
    streak.failed('d');
    nowMs = 60_000;
    expect(streak.rests()).toContain('the last 4 jobs');
    streak.succeeded();
    expect(streak.rests()).toBeNull();
  });
});

it('sandboxes that were left on the machine are found, and removed once control says that their lease is over', async () => {
  const left = new Map<string, Lease>([1, 2].map((epoch) => [`s${epoch}`, { jobId: 'r000000-t1', epoch }]));
  const driver = {
    name: 'docker',
    reap: async (
      _owner: string,
      isAlive: (labels: { owner: string; run: string; job: string; epoch: number }) => boolean,
    ) => {
      const dead = [...left].filter(([, { jobId, epoch }]) => !isAlive({ owner: 'o', run: 'r', job: jobId, epoch }));
      for (const [id] of dead) left.delete(id);
      return dead.map(([id]) => id);
    },
  } as const;
  using remains = new Remains({ drivers: [driver], log: createLog('silent') });
  remains.find('o');
  await until(() => remains.find().length === 2);
  await remains.remove([{ jobId: 'r000000-t1', epoch: 1 }]);
  expect([...left.keys()]).toEqual(['s2']);
  expect(remains.find()).toEqual([{ jobId: 'r000000-t1', epoch: 2 }]);
});

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 20_000, interval: 5 }).toBe(true);
}
