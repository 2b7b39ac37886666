import { describe, expect, it } from 'vitest';
import { type Archive, openArchive } from '#archive/archive.ts';
import { Event } from '#archive/schema.ts';
import {
  beginProposal,
  beginTrial,
  breed,
  createRun,
  decision,
  noProposalBlobs,
  proposalResult,
  settleChild,
  settleTrial,
  temporaryDirectory,
} from './builders.ts';

describe('writing to the archive', () => {
  it('stores all of a transaction or, when it throws, nothing', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    const before = everything(archive);
    expect(() =>
      archive.transaction(() => {
        settleTrial(archive, lease, 1);
        beginTrial(archive, { agent: `${run.id}-a1`, task: 't1' });
        archive.runs.setState(run.id, 'paused', null, 5);
        throw new Error('halfway');
      }),
    ).toThrow('halfway');
    expect(everything(archive)).toEqual(before);
  });

  it('undoes the whole write when a part of it fails on its own', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    beginTrial(archive, { agent: `${run.id}-a1`, task: 't0' });
    const before = everything(archive);
    const again = decision(run.id, 2, { kind: 'evaluate', agent: `${run.id}-a1`, task: 't0', attempt: 1 });
    expect(() => archive.decisions.record(again, { jobBudgetUusd: null })).toThrow(/UNIQUE/);
    expect(everything(archive)).toEqual(before);
    expect(archive.decisions.list(run.id)).toHaveLength(1);
  });

  it('lets an outer transaction go on after an inner one failed, without any of the inner', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    archive.transaction(() => {
      archive.events.notice(run.id, 'info', 'kept', '', 1);
      expect(() =>
        archive.transaction(() => {
          archive.events.notice(run.id, 'info', 'lost', '', 2);
          throw new Error('inner');
        }),
      ).toThrow('inner');
    });
    const codes = archive.events.after({ seq: 0 }).map(({ data }) => (data.kind === 'notice' ? data.code : ''));
    expect(codes.filter(Boolean)).toEqual(['kept']);
  });

  it('appends to every write its events, in order and in the shapes that are promised', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const child = breed(archive, `${run.id}-a1`, 'child');
    settleTrial(archive, beginTrial(archive, { agent: child }), 1);
    archive.jobs.release(
      beginTrial(archive, { agent: child, task: 't1' }),
      { reason: 'r', infra: true, notBeforeMs: 0 },
      5,
    );
    archive.decisions.record(decision(run.id, 4, { kind: 'finish', reason: 'done' }), { jobBudgetUusd: null });
    const events = archive.events.after({ runId: run.id, seq: 0 });
    expect(events.map((event) => Event.parse(event))).toEqual(events);
    expect(events.map(({ data }) => data.kind)).toEqual([
      ...['run-created', 'run-state', 'agent-joined'],
      ...['proposal-begun', 'job-claimed', 'agent-joined', 'proposal-settled'],
      ...['trial-begun', 'job-claimed', 'trial-settled'],
      ...['trial-begun', 'job-claimed', 'job-requeued'],
      'run-state',
    ]);
    expect(events.map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq).toSorted((a, b) => a - b));
    const { seq } = events[4]!;
    expect(archive.events.after({ seq, limit: 2 })).toEqual(events.slice(5, 7));
  });

  it('tells listeners once of each transaction that appended, after it is stored', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    await Promise.resolve();
    const seen: number[] = [];
    const unsubscribe = archive.events.onAppend(() => seen.push(archive.events.after({ seq: 0 }).length));
    archive.transaction(() => {
      archive.events.notice(run.id, 'info', 'a', '', 1);
      archive.events.notice(run.id, 'info', 'b', '', 1);
      expect(seen).toEqual([]);
    });
    expect(() => archive.transaction(() => thrown(() => archive.events.notice(run.id, 'info', 'c', '', 1)))).toThrow();
    archive.jobs.renew({ jobId: `${run.id}-t9`, epoch: 1 }, 1, 1);
    await Promise.resolve();
    expect(seen).toEqual([5]);
    unsubscribe();
    archive.events.notice(run.id, 'info', 'd', '', 1);
    await Promise.resolve();
    expect(seen).toEqual([5]);
  });

  it('gives everything of a run numbers from 1 in the order of its decisions', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const { id } = createRun(archive);
    const leases = [
      beginTrial(archive, { agent: `${id}-a1` }),
      beginProposal(archive, `${id}-a1`),
      beginProposal(archive, `${id}-a1`),
    ];
    expect(leases.map(({ jobId }) => jobId)).toEqual([`${id}-t1`, `${id}-p1`, `${id}-p2`]);
    expect(() => archive.decisions.record(decision(id, 9, { kind: 'wait' }), { jobBudgetUusd: null })).toThrow(
      /out of order/,
    );
  });
});

describe('a proposal', () => {
  it('joins the lineage below its parent when it is viable', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const child = breed(archive, `${run.id}-a1`, 'child');
    const grandchild = breed(archive, child, 'grandchild');
    expect(archive.agents.get(grandchild)).toMatchObject({
      parentId: child,
      generation: 2,
      proposalId: `${run.id}-p2`,
      ordinal: 3,
    });
    expect(archive.agents.get(`${run.id}-a1`)).toMatchObject({ children: 1 });
    expect(archive.proposals.get(`${run.id}-p1`)).toMatchObject({ outcome: 'joined', agentId: child, title: 'Title' });
    expect(archive.runs.get(run.id)?.counts).toMatchObject({ agents: 3, proposals: 2 });
  });

  it('settles as a duplicate when an agent with the same tree joined meanwhile', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const [first, second] = [beginProposal(archive, `${run.id}-a1`), beginProposal(archive, `${run.id}-a1`)];
    settleChild(archive, first, 'same');
    expect(settleChild(archive, second, 'same')).toBe(true);
    expect(archive.proposals.get(`${run.id}-p2`)).toMatchObject({
      outcome: 'duplicate',
      agentId: null,
      reason: `the same source as ${run.id}-a2`,
    });
    expect(archive.agents.lineage(run.id)).toHaveLength(2);
  });

  it('that failed is kept with its reason and changes no agent', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const steps = [{ step: 'apply' as const, passed: false, detail: 'hunk 1', durationMs: 3 }];
    const result = proposalResult({ outcome: 'does-not-apply', reason: 'hunk 1', steps });
    archive.proposals.settle(beginProposal(archive, `${run.id}-a1`), result, noProposalBlobs, null, 9);
    expect(archive.proposals.list(run.id, { parent: `${run.id}-a1` })).toMatchObject([
      { outcome: 'does-not-apply', reason: 'hunk 1', steps, settledAt: 9 },
    ]);
    expect(archive.agents.get(`${run.id}-a1`)?.children).toBe(0);
  });
});

function thrown(body: () => void): never {
  body();
  throw new Error('thrown');
}

function everything(archive: Archive): unknown {
  const [run] = archive.runs.list();
  if (!run) return [];
  return [
    run,
    archive.agents.lineage(run.id),
    archive.trials.list(run.id),
    archive.jobs.open(run.id),
    archive.events.after({ seq: 0 }),
  ];
}
