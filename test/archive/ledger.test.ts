import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Archive, openArchive } from '#archive/archive.ts';
import { BudgetExceeded } from '#archive/errors.ts';
import type { Reservation, Spend } from '#archive/ledger.ts';
import type { Call, Lease, Run } from '#archive/schema.ts';
import { beginProposal, beginTrial, createRun, settleTrial, temporaryDirectory } from './builders.ts';

const answer = { inputTokens: 10, outputTokens: 5, latencyMs: 7, replyBlob: 'reply' };

describe('the ledger', () => {
  it('never lets spent plus reserved pass the budget, however many calls ask', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive, { spec: { budget: { usd: 0.001 } } });
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    const granted = Array.from({ length: 100 }, () => attempt(() => archive.ledger.reserve(call(lease, 30))));
    expect(granted.filter((one) => typeof one === 'number')).toHaveLength(33);
    const refused = granted.find((one) => one instanceof BudgetExceeded);
    expect(refused).toMatchObject({ scope: 'run', limitUusd: 1000, spentUusd: 0, reservedUusd: 990, final: false });
    expect(money(archive, run)).toEqual([0, 990]);
  });

  it('is backed by a check of the database itself', async () => {
    using directory = temporaryDirectory();
    const archive = await openArchive(directory.path);
    const run = createRun(archive, { spec: { budget: { usd: 0.001 } } });
    await archive[Symbol.asyncDispose]();
    const sqlite = new Sqlite(join(directory.path, 'archive.sqlite'));
    expect(() => sqlite.prepare('UPDATE runs SET reserved_uusd = 1001 WHERE id = ?').run(run.id)).toThrow(/CHECK/);
    expect(() => sqlite.prepare('UPDATE runs SET spent_uusd = 1001 WHERE id = ?').run(run.id)).toThrow(/CHECK/);
    expect(() => sqlite.prepare('UPDATE runs SET reserved_uusd = -1 WHERE id = ?').run(run.id)).toThrow(/CHECK/);
    sqlite.close();
  });

  it('holds the budget of a single job as well', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const lease = beginTrial(archive, { agent: `${run.id}-a1`, jobBudgetUusd: 50 });
    archive.ledger.reserve(call(lease, 40));
    expect(attempt(() => archive.ledger.reserve(call(lease, 20)))).toMatchObject({
      scope: 'job',
      limitUusd: 50,
      reservedUusd: 40,
    });
    expect(money(archive, run)).toEqual([0, 40]);
  });

  it('charges what a call cost and gives the rest of its reserve back', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive, { spec: { budget: { usd: 1 } } });
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    const [settled, ambiguous, released] = [1, 2, 3].map(() => archive.ledger.reserve(call(lease, 100)));
    archive.ledger.sent(settled!);
    archive.ledger.settle(settled!, { ...answer, spentUusd: 60 });
    archive.ledger.sent(ambiguous!);
    archive.ledger.ambiguous(ambiguous!, { latencyMs: 4 });
    archive.ledger.release(released!);
    expect(money(archive, run)).toEqual([160, 0]);
    expect(archive.ledger.calls(lease.jobId).map(({ state, spentUusd }) => [state, spentUusd])).toEqual([
      ['settled', 60],
      ['ambiguous', 100],
      ['released', 0],
    ]);
    expect(archive.ledger.spend(run.id)).toEqual([
      { role: 'trial', model: 'm', calls: 2, spentUusd: 160, ambiguousUusd: 100, inputTokens: 10, outputTokens: 5 },
    ]);
    expect(() => archive.ledger.settle(settled!, { ...answer, spentUusd: 1 })).toThrow(/no model call/);
    expect(() => archive.ledger.sent(released!)).toThrow(/no model call/);
  });

  it.each([
    { runUusd: null, jobUusd: null, charged: 130, why: 'in full where there is no budget' },
    { runUusd: 1000, jobUusd: 500, charged: 130, why: 'in full where both budgets have room' },
    { runUusd: 140, jobUusd: null, charged: 120, why: "as far as the run's budget goes beyond what others hold" },
    { runUusd: 1000, jobUusd: 135, charged: 115, why: "as far as the job's budget goes beyond what others hold" },
    { runUusd: 120, jobUusd: 1000, charged: 100, why: 'no more than its reserve where nothing is free' },
  ])('charges a call that cost more than its worst price $why, and says so', async ({ runUusd, jobUusd, charged }) => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive, { spec: { budget: { usd: runUusd && runUusd / 1e6 } } });
    const lease = beginTrial(archive, { agent: `${run.id}-a1`, jobBudgetUusd: jobUusd ?? undefined });
    const dear = archive.ledger.reserve(call(lease, 100));
    archive.ledger.reserve(call(lease, 20));
    archive.ledger.settle(dear, { ...answer, spentUusd: 130 });
    expect(money(archive, run)).toEqual([charged, 20]);
    expect(archive.ledger.calls(lease.jobId)[0]).toMatchObject({ spentUusd: charged });
    const told = archive.events.after({ seq: 0 }).flatMap(({ data }) => (data.kind === 'notice' ? [data] : []));
    expect(told).toMatchObject([{ code: 'ledger-overrun', level: 'warning' }]);
    expect(told[0]?.message).toContain(`cost 30 micro-dollars more than its worst price`);
    expect(told[0]?.message).toContain(`had room for ${charged - 100}:`);
  });

  it('says nothing of a call that cost all of its reserve', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive, { spec: { budget: { usd: 0.0001 } } });
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    archive.ledger.settle(archive.ledger.reserve(call(lease, 100)), { ...answer, spentUusd: 100 });
    expect(money(archive, run)).toEqual([100, 0]);
    expect(notices(archive)).toEqual([]);
  });

  it('counts spend as calls end, and comes to what adding all of them up would', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
        const runs = [createRun(archive), createRun(archive, { spec: { budget: { usd: 0.002 } } })];
        const leases = runs.map(({ id }) => beginTrial(archive, { agent: `${id}-a1` }));
        const open: number[] = [];
        for (const one of steps) take(archive, leases, open, one);
        for (const [i, run] of runs.entries()) {
          const spend = archive.ledger.spend(run.id);
          expect(spend).toEqual(addedUp(archive.ledger.calls(leases[i]!.jobId)));
          expect(spend.reduce((sum, { spentUusd }) => sum + spentUusd, 0)).toBe(archive.runs.get(run.id)?.spentUusd);
        }
      }),
      { numRuns: 40, seed: 3 },
    );
  });

  it('writes a job its spend when it settles, and again when a call of it ends later', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    const [early, late] = [archive.ledger.reserve(call(lease, 10)), archive.ledger.reserve(call(lease, 10))];
    archive.ledger.settle(early, { ...answer, spentUusd: 4 });
    settleTrial(archive, lease, 1);
    expect(archive.trials.get(`${run.id}-t1`)?.spentUusd).toBe(4);
    archive.ledger.settle(late, { ...answer, spentUusd: 3 });
    expect(archive.trials.get(`${run.id}-t1`)?.spentUusd).toBe(7);
    expect(money(archive, run)).toEqual([7, 0]);
  });

  it('serves the answer of an earlier lease of the same job, at no cost', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    archive.ledger.settle(archive.ledger.reserve(call(lease, 10)), { ...answer, spentUusd: 4 });
    const request = { jobId: lease.jobId, requestDigest: 'digest', nth: 0 };
    expect(archive.ledger.recorded({ ...request, beforeEpoch: 1 })).toBeNull();
    expect(archive.ledger.recorded({ ...request, nth: 1, beforeEpoch: 2 })).toBeNull();
    expect(archive.ledger.recorded({ ...request, beforeEpoch: 2 })).toMatchObject({
      replyBlob: 'reply',
      call: { spentUusd: 4 },
    });
    archive.jobs.expire(lease.jobId, 5);
    const again = archive.jobs.claim(lease.jobId, 'w', 10, 6)!;
    const { reservedUusd: _, ...replayed } = call(again, 0);
    archive.ledger.replayed({ ...replayed, replyBlob: 'reply' });
    expect(archive.ledger.calls(lease.jobId).at(-1)).toMatchObject({
      replayed: true,
      spentUusd: 0,
      state: 'settled',
      epoch: again.epoch,
    });
    expect(money(archive, run)).toEqual([4, 0]);
    archive.ledger.settle(archive.ledger.reserve(call(again, 10)), { ...answer, spentUusd: 3, replyBlob: 'another' });
    const paid = [0, 1, 2].map((nth) => archive.ledger.recorded({ ...request, nth, beforeEpoch: again.epoch + 1 }));
    expect(paid.map((one) => one?.replyBlob ?? null)).toEqual(['reply', 'another', null]);
  });

  it('after a crash gives back what never left and charges what may have been processed', async () => {
    using directory = temporaryDirectory();
    const first = await openArchive(directory.path);
    const run = createRun(first, { spec: { budget: { usd: 1 } } });
    const lease = beginProposal(first, `${run.id}-a1`);
    first.ledger.reserve(call(lease, 10));
    first.ledger.sent(first.ledger.reserve(call(lease, 20)));
    await first[Symbol.asyncDispose]();
    await using second = await openArchive(directory.path);
    expect(second.ledger.reconcile(9)).toEqual({ released: 1, ambiguous: 1 });
    expect(second.ledger.reconcile(9)).toEqual({ released: 0, ambiguous: 0 });
    expect(money(second, run)).toEqual([20, 0]);
    expect(notices(second)).toEqual(['call-ambiguous']);
  });

  it('tells once when what is left of the run cannot pay for a call even alone', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive, { spec: { budget: { usd: 0.0001 } } });
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    const first = archive.ledger.reserve(call(lease, 80));
    expect(attempt(() => archive.ledger.reserve(call(lease, 30)))).toMatchObject({ final: false });
    expect(notices(archive)).toEqual([]);
    archive.ledger.settle(first, { ...answer, spentUusd: 75 });
    expect(attempt(() => archive.ledger.reserve(call(lease, 30)))).toMatchObject({ final: true });
    attempt(() => archive.ledger.reserve(call(lease, 30)));
    expect(notices(archive)).toEqual(['budget-refused']);
  });
});

/** What can happen to calls; numbers pick a run, or a call among those under way. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('reserve' as const), pick: fc.nat(1), of: fc.nat(3), uusd: fc.nat(200) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), pick: fc.nat(), of: fc.nat(90), uusd: fc.nat(250) }),
  },
  fc.record({ kind: fc.constantFrom('sent', 'ambiguous', 'release' as const), pick: fc.nat() }),
  fc.record({ kind: fc.constantFrom('replayed', 'reconcile' as const), pick: fc.nat(1) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take({ ledger }: Archive, leases: Lease[], open: number[], one: Step): void {
  const lease = leases[one.pick % leases.length]!;
  const picked = one.pick % Math.max(1, open.length);
  const callId = open[picked];
  if (one.kind === 'reserve') {
    const [role, model] = one.of < 2 ? (['trial', 'm'] as const) : (['selfEdit', `m${one.of}`] as const);
    const reserved = attempt(() => ledger.reserve({ ...call(lease, one.uusd), role, model }));
    if (typeof reserved === 'number') open.push(reserved);
  } else if (one.kind === 'replayed') {
    ledger.replayed({ ...call(lease, 0), replyBlob: 'reply' });
  } else if (one.kind === 'reconcile') {
    ledger.reconcile(9);
    open.length = 0;
  } else if (callId !== undefined) {
    if (one.kind === 'sent') return void attempt(() => ledger.sent(callId));
    open.splice(picked, 1);
    if (one.kind === 'settle') ledger.settle(callId, { ...answer, spentUusd: one.uusd, inputTokens: one.of });
    if (one.kind === 'ambiguous') ledger.ambiguous(callId, { latencyMs: null });
    if (one.kind === 'release') ledger.release(callId);
  }
}

/** By the definition: a sum over every call that has ended and was paid. */
function addedUp(calls: readonly Call[]): Spend[] {
  const paid = calls.filter(({ state, replayed }) => !replayed && (state === 'settled' || state === 'ambiguous'));
  const groups = Map.groupBy(paid, ({ role, model }) => `${role} ${model}`);
  const sum = (of: readonly Call[], amount: (call: Call) => number | null) =>
    of.reduce((total, one) => total + (amount(one) ?? 0), 0);
  return [...groups.keys()].sort().map((key) => {
    const of = groups.get(key)!;
    const ambiguous = of.filter(({ state }) => state === 'ambiguous');
    return {
      role: of[0]!.role,
      model: of[0]!.model,
      calls: of.length,
      spentUusd: sum(of, ({ spentUusd }) => spentUusd),
      ambiguousUusd: sum(ambiguous, ({ spentUusd }) => spentUusd),
      inputTokens: sum(of, ({ inputTokens }) => inputTokens),
      outputTokens: sum(of, ({ outputTokens }) => outputTokens),
    };
  });
}

function call(lease: Lease, reservedUusd: number): Reservation {
  return { lease, role: 'trial', model: 'm', requestDigest: 'digest', occurrence: 0, reservedUusd, nowMs: 5 };
}

function attempt<T>(body: () => T): T | unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}

function money(archive: Archive, { id }: Run): [number, number] {
  const run = archive.runs.get(id)!;
  return [run.spentUusd, run.reservedUusd];
}

function notices(archive: Archive): string[] {
  return archive.events.after({ seq: 0 }).flatMap(({ data }) => (data.kind === 'notice' ? [data.code] : []));
}
