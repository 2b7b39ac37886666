import { describe, expect, it } from 'vitest';
import { type Archive, openArchive } from '#archive/archive.ts';
import type { JobId, Lease } from '#archive/schema.ts';
import {
  beginProposal,
  beginTrial,
  createRun,
  decision,
  settleChild,
  settleTrial,
  temporaryDirectory,
} from './builders.ts';

const released = { reason: 'the sandbox died', infra: true, notBeforeMs: 0 };

describe('a lease', () => {
  it('is given to one worker, once, and not before its time', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const { job } = readyJob(archive);
    expect(archive.jobs.claim(job, 'one', 10, 100)).toEqual({ jobId: job, epoch: 1 });
    expect(archive.jobs.claim(job, 'two', 10, 100)).toBeNull();
    archive.jobs.release({ jobId: job, epoch: 1 }, { ...released, notBeforeMs: 500 }, 110);
    expect(archive.jobs.claim(job, 'two', 10, 499)).toBeNull();
    expect(archive.jobs.ready(null, 499)).toEqual([]);
    expect(archive.jobs.claim(job, 'two', 10, 500)).toEqual({ jobId: job, epoch: 2 });
    expect(archive.jobs.get(job)).toMatchObject({ state: 'leased', worker: 'two', leaseUntil: 510, infraFailures: 1 });
  });

  it('that is stale changes nothing at all', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const old = beginTrial(archive, { agent: `${run.id}-a1` });
    archive.jobs.expire(old.jobId, 5);
    const renewed = archive.jobs.claim(old.jobId, 'another', 10, 6);
    const before = JSON.stringify([
      archive.events.after({ seq: 0 }),
      archive.jobs.get(old.jobId),
      archive.agents.lineage(run.id),
    ]);
    const { jobs, ledger } = archive;
    expect(jobs.renew(old, 10, 7)).toBe(false);
    expect(jobs.release(old, released, 7)).toBe(false);
    expect(jobs.setAside(old, 'infra', 'r', 7)).toBe(false);
    expect(settleTrial(archive, old, 1)).toBe(false);
    const call = { lease: old, role: 'trial' as const, model: 'm', requestDigest: 'd', occurrence: 0, nowMs: 7 };
    expect(() => ledger.reserve({ ...call, reservedUusd: 1 })).toThrow(/has ended/);
    expect(() => ledger.replayed({ ...call, replyBlob: 'b' })).toThrow(/has ended/);
    expect(
      JSON.stringify([archive.events.after({ seq: 0 }), archive.jobs.get(old.jobId), archive.agents.lineage(run.id)]),
    ).toBe(before);
    expect(settleTrial(archive, renewed!, 1)).toBe(true);
    expect(settleTrial(archive, renewed!, 1)).toBe(false);
    expect(archive.agents.get(`${run.id}-a1`)).toMatchObject({ n: 1, s: 1 });
  });

  it('fences a worker out as soon as its lease is taken back, even before another has the job', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const lease = beginProposal(archive, `${run.id}-a1`);
    expect(archive.jobs.expired(62_999)).toEqual([]);
    expect(archive.jobs.expired(63_000)).toMatchObject([{ id: lease.jobId }]);
    expect(archive.jobs.renew(lease, 60_000, 50_000)).toBe(true);
    expect(archive.jobs.expired(63_000)).toEqual([]);
    expect(archive.jobs.expire(lease.jobId, 63_000)).toBe(true);
    expect(archive.jobs.expire(lease.jobId, 63_000)).toBe(false);
    expect(settleChild(archive, lease, 'late')).toBe(false);
    expect(archive.agents.lineage(run.id)).toHaveLength(1);
  });
});

describe('a job set aside', () => {
  it.each(['infra', 'cancelled'] as const)('as %s counts for nothing and is over', async (outcome) => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const trial = beginTrial(archive, { agent: `${run.id}-a1` });
    const proposal = beginProposal(archive, `${run.id}-a1`);
    expect(archive.jobs.setAside(trial, outcome, 'why', 9)).toBe(true);
    expect(archive.jobs.setAside({ jobId: proposal.jobId }, outcome, 'why', 9)).toBe(true);
    expect(archive.jobs.setAside({ jobId: proposal.jobId }, outcome, 'why', 9)).toBe(false);
    expect(archive.trials.get(`${run.id}-t1`)).toMatchObject({ outcome, y: null, reason: 'why' });
    expect(archive.proposals.get(`${run.id}-p1`)).toMatchObject({ outcome, reason: 'why' });
    expect(archive.agents.get(`${run.id}-a1`)).toMatchObject({ n: 0, cladeN: 0, children: 0 });
    expect(archive.jobs.open(run.id)).toEqual([]);
    expect(settleChild(archive, proposal, 'late')).toBe(false);
  });
});

describe('the job board', () => {
  it('lists what is ready, leased and open, oldest first, by run or of all', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const [one, two] = [readyJob(archive), readyJob(archive)];
    expect(archive.jobs.ready(null, 0).map(({ id }) => id)).toEqual([one.job, two.job]);
    expect(archive.jobs.ready(two.run, 0).map(({ id }) => id)).toEqual([two.job]);
    archive.jobs.claim(one.job, 'w', 5, 0);
    expect(archive.jobs.ready(null, 0).map(({ id }) => id)).toEqual([two.job]);
    expect(archive.jobs.leased().map(({ id }) => id)).toEqual([one.job]);
    expect(archive.jobs.open(one.run).map(({ id }) => id)).toEqual([one.job]);
    settleTrial(archive, { jobId: one.job, epoch: 1 }, 0);
    expect(archive.jobs.open(one.run)).toEqual([]);
  });
});

function readyJob(archive: Archive): { run: string; job: JobId } {
  const { id } = createRun(archive);
  const first = decision(id, 1, { kind: 'evaluate', agent: `${id}-a1`, task: 't0', attempt: 1 });
  const job: Lease['jobId'] | null = archive.decisions.record(first, { jobBudgetUusd: null });
  if (!job) throw new Error('No job was begun.');
  return { run: id, job };
}
