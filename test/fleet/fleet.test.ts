import { describe, expect, it } from 'vitest';
import type { JobId } from '#archive/schema.ts';
import { createLog } from '#services/log.ts';
import { Fleet } from '#services/scheduler/fleet.ts';
import { LEASE_MS } from '#services/scheduler/lease-sweep.ts';
import { PROTOCOL } from '#services/worker/fleet.ts';
import { temporaryDirectory, trialResult } from '#test/archive/builders.ts';
import { type House, measuring, openHouse } from '#test/scheduler/house.ts';
import { aBeat, aWorker } from './workers.ts';

const SLOTS = 3;

/** A house whose run has three jobs ready, for workers that join. */
async function houseWithJobs(home: string, spec: object = {}) {
  const house = await openHouse({ home, works: false, hasFleet: true });
  const run = await house.begin({ slots: SLOTS, policy: measuring(12), ...spec }, 12);
  await house.until(() => house.archive.jobs.open(run.id).length >= SLOTS);
  const jobs: JobId[] = house.archive.jobs.open(run.id).map(({ id }) => id);
  return { house, run, jobs: jobs as [JobId, JobId, JobId] };
}

/** Control, started anew. */
function fleetAgain({ archive, clock }: House): Fleet {
  const log = createLog('silent');
  return new Fleet({ archive, clock, log, disk: { refused() {} }, version: '1.2.3', redisUrl: null });
}

const stateOf = (fleet: Fleet, name: string) => fleet.list().find((worker) => worker.name === name)?.state;

describe('a worker', () => {
  it('that joins is listed with what it said, and only who has joined takes jobs', async () => {
    using directory = temporaryDirectory();
    const { house, jobs } = await houseWithJobs(directory.path);
    await using _house = house;
    expect(await house.control.claim(jobs[0], 'w1')).toBeNull();
    const welcome = await house.fleet.join(aWorker());
    expect(welcome).toMatchObject({ owner: house.archive.ownerId, redisUrl: null });
    expect(welcome.orders).toMatchObject({ desired: 'active', classes: [{ name: 'cpu', slots: 2 }] });
    expect(await house.control.claim(jobs[0], 'w1')).not.toBeNull();
    expect(await house.control.claim(jobs[1], 'stranger')).toBeNull();
    await house.fleet.beat('w1', aBeat({ load: 1.5, diskFreeMiB: 77 }));
    const said = { name: 'w1', state: 'active', busy: 1, slots: 2, jobs: [jobs[0]], load: 1.5, diskFreeMiB: 77 };
    expect(house.fleet.list()).toMatchObject([{ ...said, labels: ['rack-4'] }]);
  });

  it('of another version or protocol is refused, and told both', async () => {
    using directory = temporaryDirectory();
    const { house } = await houseWithJobs(directory.path);
    await using _house = house;
    await expect(house.fleet.join(aWorker({ version: '1.2.4' }))).rejects.toThrow(/Clade 1\.2\.4.*control is 1\.2\.3/);
    await expect(house.fleet.join(aWorker({ protocol: PROTOCOL + 1 }))).rejects.toMatchObject({
      code: 'worker-refused',
      message: expect.stringContaining(`protocol ${PROTOCOL + 1}`),
    });
    expect(house.fleet.list()).toEqual([]);
  });

  it('that is cordoned keeps what it has and gets nothing new, also after control was started anew', async () => {
    using directory = temporaryDirectory();
    const { house, jobs } = await houseWithJobs(directory.path);
    await using _house = house;
    await house.fleet.join(aWorker());
    const held = await house.control.claim(jobs[0], 'w1');
    expect(house.fleet.order('w1', 'cordon')).toMatchObject({ state: 'cordoned', busy: 1 });
    expect(await house.control.claim(jobs[1], 'w1')).toBeNull();
    expect(await house.fleet.beat('w1', aBeat({ wants: 5 }))).toMatchObject({
      desired: 'cordoned',
      classes: [],
      hints: [],
    });
    expect(await house.control.renew(held!.lease)).toBe(true);
    const again = fleetAgain(house);
    await expect(again.beat('w1', aBeat())).rejects.toMatchObject({ code: 'worker-unknown' });
    expect((await again.join(aWorker())).orders.desired).toBe('cordoned');
    expect(house.archive.jobs.holds(held!.lease)).toBe(true);
    again.order('w1', 'uncordon');
    expect(again.mayClaim(jobs[1], 'w1')).toBe(true);
  });

  it('that is drained is told to end, and is cordoned when it is started again', async () => {
    using directory = temporaryDirectory();
    const { house } = await houseWithJobs(directory.path);
    await using _house = house;
    await house.fleet.join(aWorker());
    expect(house.fleet.order('w1', 'drain')).toMatchObject({ state: 'draining' });
    expect((await house.fleet.beat('w1', aBeat())).desired).toBe('draining');
    await house.fleet.leave('w1', 'w1-1');
    expect(stateOf(house.fleet, 'w1')).toBe('left');
    expect((await house.fleet.join(aWorker({ instance: 'w1-2' }))).orders.desired).toBe('cordoned');
  });

  it('that was removed is not let in again before an operator says so', async () => {
    using directory = temporaryDirectory();
    const { house, jobs } = await houseWithJobs(directory.path);
    await using _house = house;
    await house.fleet.join(aWorker());
    expect(house.fleet.order('w1', 'remove')).toMatchObject({ state: 'removed' });
    expect(await house.control.claim(jobs[0], 'w1')).toBeNull();
    expect((await house.fleet.beat('w1', aBeat())).desired).toBe('removed');
    await house.fleet.leave('w1', 'w1-1');
    await expect(house.fleet.join(aWorker())).rejects.toThrow(/an operator removed it.*uncordon w1/);
    house.fleet.order('w1', 'uncordon');
    await house.fleet.join(aWorker());
    await house.fleet.leave('w1', 'w1-1');
    expect(house.fleet.order('w1', 'remove')).toBeNull();
    expect(house.fleet.list()).toEqual([]);
    expect(() => house.fleet.order('w1', 'drain')).toThrow(/no worker "w1"\. Known: none/);
  });

  it('keeps its name from others for as long as it lives; who comes back under it gets its old jobs freed at once', async () => {
    using directory = temporaryDirectory();
    const { house, jobs } = await houseWithJobs(directory.path);
    await using _house = house;
    await house.fleet.join(aWorker());
    const held = await house.control.claim(jobs[0], 'w1');
    house.pass(5_000);
    await expect(house.fleet.join(aWorker({ instance: 'w1-2' }))).rejects.toMatchObject({
      code: 'worker-name-taken',
      message: expect.stringContaining('5 s ago'),
    });
    expect(house.archive.jobs.holds(held!.lease)).toBe(true);
    house.pass(3_000);
    await house.fleet.join(aWorker({ instance: 'w1-2' }));
    expect(house.archive.jobs.get(jobs[0])).toMatchObject({ state: 'ready', epoch: 2 });
    expect(house.archive.jobs.failures(jobs[0])).toMatchObject([
      { worker: 'w1', reason: 'its worker was started anew' },
    ]);
    await expect(house.fleet.beat('w1', aBeat())).rejects.toMatchObject({ code: 'worker-refused' });
  });

  it('that does not know of a job, since the answer to its claim was lost, has it taken back before the lease ends', async () => {
    using directory = temporaryDirectory();
    const { house, jobs } = await houseWithJobs(directory.path);
    await using _house = house;
    await house.fleet.join(aWorker());
    const [known, fetched, lost] = await Promise.all(jobs.map((job) => house.control.claim(job, 'w1')));
    for (const _ of [1, 2, 3]) {
      house.pass(5_000);
      await house.control.renew(fetched!.lease);
      await house.fleet.beat('w1', aBeat({ jobs: [known!.lease] }));
    }
    expect([known, fetched, lost].map((job) => house.archive.jobs.holds(job!.lease))).toEqual([true, true, false]);
    expect(house.archive.jobs.failures(jobs[2])).toMatchObject([{ reason: 'its worker does not know of it' }]);
  });

  it('that falls silent is away, and all of its jobs go elsewhere without the run being paused', async () => {
    using directory = temporaryDirectory();
    const { house, run } = await houseWithJobs(directory.path, { slots: 12 });
    await using _house = house;
    await house.until(() => house.archive.jobs.open(run.id).length === 12);
    await house.fleet.join(aWorker({ slots: 12 }));
    for (const { id } of house.archive.jobs.open(run.id)) expect(await house.control.claim(id, 'w1')).not.toBeNull();
    house.pass(LEASE_MS - 1_000);
    expect(stateOf(house.fleet, 'w1')).toBe('away');
    await house.fleet.join(aWorker({ name: 'w2' }));
    house.pass(1_000);
    await house.until(() => house.archive.jobs.ready(run.id, house.clock()).length === 12);
    expect(house.run(run.id).state).toBe('running');
    for (const { id } of house.archive.jobs.ready(run.id, house.clock()))
      expect(await house.control.claim(id, 'w2')).not.toBeNull();
  });

  it('without the sandbox that a run asks for, or with one too weak for it, gets none of its jobs', async () => {
    using directory = temporaryDirectory();
    const drivers = (docker: boolean) => [
      { name: 'docker', available: docker, detail: '' },
      { name: 'process', available: true, detail: '' },
    ];
    const { house, jobs } = await houseWithJobs(directory.path, { sandbox: 'docker' });
    await using _house = house;
    const real = await house.begin({ slots: 1, allowUnsandboxed: false, models: { trial: 'real' } });
    await house.until(() => house.archive.jobs.open(real.id).length === 1);
    const [ofReal] = house.archive.jobs.open(real.id);
    await house.fleet.join(aWorker({ name: 'bare', drivers: drivers(false) }));
    await house.fleet.join(aWorker({ name: 'full', drivers: drivers(true) }));
    for (const job of [jobs[0], ofReal!.id]) {
      expect(house.fleet.mayClaim(job, 'bare')).toBe(false);
      expect(house.fleet.mayClaim(job, 'full')).toBe(true);
    }
  });
});

describe('a job that the harness failed at', () => {
  it('goes to another worker while there is one that has not tried, also after control was started anew', async () => {
    using directory = temporaryDirectory();
    const { house, jobs } = await houseWithJobs(directory.path);
    await using _house = house;
    for (const name of ['w1', 'w2']) await house.fleet.join(aWorker({ name }));
    const job = await house.control.claim(jobs[0], 'w1');
    await house.control.release(job!.lease, 'the engine is down', true);
    house.pass(2_000);
    expect(house.fleet.mayClaim(jobs[0], 'w1')).toBe(false);
    expect(house.fleet.mayClaim(jobs[0], 'w2')).toBe(true);
    expect(house.fleet.mayClaim(jobs[1], 'w1')).toBe(true);
    const again = fleetAgain(house);
    for (const name of ['w1', 'w2']) await again.join(aWorker({ name }));
    expect(again.mayClaim(jobs[0], 'w1')).toBe(false);
    again.order('w2', 'cordon');
    expect(again.mayClaim(jobs[0], 'w1')).toBe(true);
    house.scheduler.pause(job!.runId);
    await house.until(() => house.run(job!.runId).state === 'paused');
    house.scheduler.resume(job!.runId);
    again.order('w2', 'uncordon');
    expect(again.mayClaim(jobs[0], 'w1')).toBe(true);
  });

  it('everywhere is set aside, with every worker and reason', async () => {
    using directory = temporaryDirectory();
    const { house, run, jobs } = await houseWithJobs(directory.path);
    await using _house = house;
    for (const name of ['w1', 'w2']) await house.fleet.join(aWorker({ name, slots: 9 }));
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await house.until(() => house.archive.jobs.ready(run.id, house.clock()).some(({ id }) => id === jobs[0]), 1_000);
      for (const name of ['w1', 'w2']) await house.fleet.beat(name, aBeat({ instance: `${name}-1` }));
      const worker = ['w1', 'w2'].find((name) => house.fleet.mayClaim(jobs[0], name))!;
      const job = await house.control.claim(jobs[0], worker);
      await house.control.release(job!.lease, worker === 'w1' ? 'no space left' : 'the engine is down', true);
      const other = await house.control.claim(house.archive.jobs.ready(run.id, house.clock())[0]!.id, worker);
      if (other !== null) await house.control.complete(other.lease, trialResult(0));
    }
    const settled = house.archive.trials.list(run.id)[0];
    expect(settled).toMatchObject({ outcome: 'infra' });
    const tried = 'on w1: no space left (3 times); on w2: the engine is down (2 times)';
    expect(settled!.reason).toBe(`the harness failed at it 5 times; ${tried}`);
    expect(house.notices(run.id)).toContainEqual(
      expect.objectContaining({ code: 'job-set-aside', message: `${jobs[0]} was set aside: ${settled!.reason}` }),
    );
  });

  it('on one worker alone, again and again, pauses no run while others work', async () => {
    using directory = temporaryDirectory();
    const { house, run } = await houseWithJobs(directory.path, { slots: 12 });
    await using _house = house;
    await house.until(() => house.archive.jobs.open(run.id).length === 12);
    for (const name of ['sick', 'fine']) await house.fleet.join(aWorker({ name }));
    const fail = async (jobId: JobId, worker: string) => {
      const job = await house.control.claim(jobId, worker);
      await house.control.release(job!.lease, 'the engine is down', true);
    };
    const jobs = house.archive.jobs.open(run.id).map(({ id }) => id);
    for (const id of jobs.slice(0, 10)) await fail(id, 'sick');
    expect(house.run(run.id).state).toBe('running');
    await fail(jobs[10]!, 'fine');
    expect(house.run(run.id).state).toMatch(/paus/);
  });
});

describe('workers that nobody rings for', () => {
  it('are told of jobs as they ask: each of another, and no more than they want', async () => {
    using directory = temporaryDirectory();
    const { house, jobs } = await houseWithJobs(directory.path);
    await using _house = house;
    for (const name of ['w1', 'w2']) await house.fleet.join(aWorker({ name }));
    const ask = async (name: string, wants: number) => {
      const { hints } = await house.fleet.beat(name, aBeat({ instance: `${name}-1`, wants }));
      return hints.map(({ jobId }) => jobId);
    };
    expect(await ask('w1', 0)).toEqual([]);
    expect(await ask('w1', 1)).toEqual([jobs[0]]);
    expect(await ask('w2', 9)).toEqual([jobs[1], jobs[2]]);
    expect(await ask('w1', 9)).toEqual([]);
    house.pass(2_000);
    expect(await ask('w1', 9)).toEqual([jobs[0], jobs[1]]);
  });
});

it('sandboxes whose lease has ended are named as such, and those in use are not', async () => {
  using directory = temporaryDirectory();
  const { house, jobs } = await houseWithJobs(directory.path);
  await using _house = house;
  await house.fleet.join(aWorker());
  const job = await house.control.claim(jobs[0], 'w1');
  const over = { jobId: jobs[1], epoch: 7 };
  expect((await house.fleet.beat('w1', aBeat({ sandboxes: [job!.lease, over] }))).over).toEqual([over]);
});
