import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import type { JobId, RunId } from '#archive/schema.ts';
import { createLog } from '#services/log.ts';
import { LEASE_MS, LeaseSweep } from '#services/scheduler/lease-sweep.ts';
import { reconcile } from '#services/scheduler/reconcile.ts';
import { replay } from '#services/scheduler/replay.ts';
import type { ClaimedJob } from '#services/worker/control-client.ts';
import { EMBEDDED } from '#services/worker/fleet.ts';
import { beginTrial, createRun, temporaryDirectory, trialResult } from '#test/archive/builders.ts';
import { awaitedDriver, type House, measuring, openHouse, switchedDriver } from './house.ts';

describe('an outage of the harness', () => {
  it('pauses the run, costs no trial its evidence, and is forgiven when the run is resumed', async () => {
    using directory = temporaryDirectory();
    const driver = switchedDriver();
    driver.works = false;
    await using house = await openHouse({ home: directory.path, driver: driver.choose });
    const { id } = await house.begin({ slots: 2, policy: measuring(6), budget: { trials: 6 } });
    await house.until(() => house.run(id).state === 'paused', 1_000);
    expect(house.run(id).reason).toMatch(/^the harness failed 8 times in a row; last: the engine is down\./);
    expect(house.notices(id).map(({ code }) => code)).toEqual(['harness-failing']);
    expect(house.archive.jobs.open(id).map(({ state }) => state)).toEqual(['ready', 'ready']);
    driver.works = true;
    house.scheduler.resume(id);
    for (const job of house.archive.jobs.open(id)) expect(job).toMatchObject({ infraFailures: 0, notBefore: 0 });
    await house.until(() => house.run(id).state === 'finished', 1_000);
    expect(house.archive.trials.list(id).map(({ outcome }) => outcome)).toEqual(Array(6).fill('crashed'));
    expect(replay(house.archive, id).firstDifference).toBeNull();
  });

  it('pauses a run that is closing as well, which then still gets its final measure', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false });
    const { id } = await house.begin({ slots: 2, policy: measuring(2), budget: { trials: 2 } });
    await takeJobs(house, id, 2, complete);
    await house.until(() => house.run(id).state === 'closing');
    await takeJobs(house, id, 8, fail);
    await house.until(() => house.run(id).state === 'paused');
    expect(house.archive.trials.list(id).filter(({ outcome }) => outcome === 'infra')).toEqual([]);
    house.scheduler.resume(id);
    expect(house.run(id)).toMatchObject({ state: 'closing', reason: 'budget: 2 of 2 trials begun' });
    await takeJobs(house, id, 4, complete);
    await house.until(() => house.run(id).state === 'finished');
    expect(house.archive.agents.get(`${id}-a1`)).toMatchObject({ n: 6 });
  });
});

describe('a job that the harness fails at', () => {
  it('while others are done is set aside after five attempts, ever further apart', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false });
    const { id } = await house.begin({ slots: 2, policy: measuring(40) }, 40);
    await house.until(() => house.archive.jobs.open(id).length === 2);
    const bad = house.archive.jobs.open(id)[0]!.id;
    const waitsMs: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      expect(house.archive.jobs.get(bad)).toMatchObject({ state: 'ready', infraFailures: attempt - 1 });
      await house.until(() => house.archive.jobs.ready(id, house.clock()).some((job) => job.id === bad), 1_000);
      for (const job of house.archive.jobs.ready(id, house.clock()))
        await take(house, job.id, job.id === bad ? fail : complete);
      waitsMs.push(house.archive.jobs.get(bad)!.notBefore - house.clock());
    }
    expect(waitsMs.slice(0, 4)).toEqual([1_000, 4_000, 16_000, 64_000]);
    expect(house.archive.trials.list(id)[0]).toMatchObject({
      outcome: 'infra',
      reason: 'the harness failed at it 5 times; on a test: the engine is down (5 times)',
    });
    expect(house.notices(id)).toMatchObject([{ code: 'job-set-aside', message: expect.stringContaining(bad) }]);
    expect(house.run(id).state).toBe('running');
  });

  it('in a run that is pausing waits as if it had never been tried, and the run comes to rest', async () => {
    using directory = temporaryDirectory();
    const driver = awaitedDriver();
    await using house = await openHouse({ home: directory.path, driver: driver.choose });
    const { id } = await house.begin({ slots: 2, policy: measuring(6), budget: { trials: 6 }, finalMeasure: false });
    await house.until(() => driver.waiting() === 2);
    house.scheduler.pause(id);
    driver.fail();
    await house.until(() => house.run(id).state === 'paused');
    const jobs = house.archive.jobs.open(id);
    expect(jobs.map(({ state, infraFailures }) => [state, infraFailures])).toEqual(Array(2).fill(['ready', 0]));
    expect(await house.control.claim(jobs[0]!.id, 'another')).toBeNull();
    expect(house.archive.jobs.ready(null, house.clock())).toEqual([]);
  });
});

describe('a lease', () => {
  it('is not taken by a sweep that was itself held up, so that renewals come first', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    let nowMs = 3_000;
    const ended: string[] = [];
    const onEnded = (_run: RunId, reason: string) => void ended.push(reason);
    const leases = new LeaseSweep({ archive, clock: () => nowMs, everyMs: 1_000, onEnded });
    const { id } = createRun(archive);
    const [alive, dead] = [
      beginTrial(archive, { agent: `${id}-a1` }),
      beginTrial(archive, { agent: `${id}-a1`, task: 't1' }),
    ];
    leases.sweep();
    nowMs += 60_000 + LEASE_MS;
    leases.sweep();
    expect(ended).toEqual([]);
    expect(archive.jobs.renew(alive, LEASE_MS, nowMs)).toBe(true);
    nowMs += 1_000;
    leases.sweep();
    expect(ended).toEqual([`the lease on ${dead.jobId} ended`]);
    expect(archive.jobs.get(dead.jobId)?.state).toBe('ready');
    expect(archive.jobs.holds(alive)).toBe(true);
  });

  it('that ended ten times, each time with the service, sets the job aside', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false });
    const { id } = await house.begin({ slots: 1, policy: measuring(12) }, 12);
    await house.until(() => house.archive.jobs.open(id).length === 1);
    house.scheduler[Symbol.dispose]();
    for (let start = 1; start <= 10; start += 1) {
      expect(await house.control.claim(`${id}-t1`, EMBEDDED)).not.toBeNull();
      await reconcile(house.archive, [], house.clock(), createLog('silent'));
    }
    expect(house.archive.trials.list(id)).toMatchObject([
      { outcome: 'infra', reason: '10 leases on it ended without a result; on embedded: its lease ended (9 times)' },
    ]);
  });

  it('that ends counts as a failure of the harness', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false });
    const { id } = await house.begin({ slots: 8, policy: measuring(12) }, 12);
    await takeJobs(house, id, 8, async () => {});
    await house.until(() => house.run(id).state === 'paused', 1_000);
    expect(house.run(id).reason).toMatch(/^the harness failed 8 times in a row; last: the lease on .* ended\./);
  });

  it('that is stale lets nobody stage a patch or show progress', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false });
    const { id } = await house.begin({ slots: 1, policy: measuring(12) }, 12);
    await takeJobs(house, id, 1, async (_, { lease }) => {
      const stale = { ...lease, epoch: lease.epoch + 1 };
      const progress = { jobId: lease.jobId, stage: 'solving', detail: '' } as const;
      await expect(house.control.stage(stale, '0'.repeat(40), 'a patch')).rejects.toThrow(/has ended/);
      house.control.report(stale, progress);
      expect(house.scheduler.progress()).toEqual([]);
      house.control.report(lease, progress);
      expect(house.scheduler.progress()).toMatchObject([progress]);
    });
  });
});

/** Takes the job, if it is to be had, and does something with it. */
async function take(house: House, jobId: JobId, does: (house: House, job: ClaimedJob) => Promise<unknown>) {
  const job = await house.control.claim(jobId, 'a test');
  if (job !== null) await does(house, job);
}

/** Takes so many jobs, one after the other, as they become ready. */
async function takeJobs(
  house: House,
  runId: RunId,
  count: number,
  does: (house: House, job: ClaimedJob) => Promise<unknown>,
) {
  for (let taken = 0; taken < count; taken += 1) {
    await house.until(() => house.archive.jobs.ready(runId, house.clock()).length > 0, 1_000);
    await take(house, house.archive.jobs.ready(runId, house.clock())[0]!.id, does);
  }
}

async function complete({ control }: House, { lease }: ClaimedJob) {
  expect(await control.complete(lease, trialResult(0))).toBe(true);
}

async function fail({ control }: House, { lease }: ClaimedJob) {
  await control.release(lease, 'the engine is down', true);
}
