import { cpSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Archive, openArchive } from '#archive/archive.ts';
import { type Lease, type PolicySpec, type Run, type RunId, RunSpec } from '#archive/schema.ts';
import { decide } from '#services/scheduler/decide.ts';
import { createPolicy } from '#services/scheduler/policies/policies.ts';
import { replay } from '#services/scheduler/replay.ts';
import { decisionRng } from '#services/scheduler/rng.ts';
import { applyEvent, emptyStanding } from '#services/scheduler/standing.ts';
import { createRun, settleChild, settleTrial, temporaryDirectory } from '#test/archive/builders.ts';

describe('replay', () => {
  const template = temporaryDirectory();
  beforeAll(async () => {
    await using archive = await openArchive(template.path);
    recorded(archive, 'hgm');
  });
  afterAll(() => template[Symbol.dispose]());

  it.each(['hgm', 'dgm', 'greedy', 'uniform'] as const)(
    'recomputes every decision of a %s run from the journal',
    async (kind) => {
      using directory = temporaryDirectory();
      await using archive = await openArchive(directory.path);
      const runId = recorded(archive, kind);
      expect(archive.runs.get(runId)?.reason).toBe('budget: 60 of 60 trials begun');
      const { decisions, firstDifference } = replay(archive, runId);
      expect(firstDifference).toBeNull();
      expect(decisions).toBe(archive.decisions.list(runId).length);
      expect(decisions).toBeGreaterThan(60);
    },
  );

  it('tells the events of one run from those of another beside it', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const runs = [recorded(archive, 'hgm'), recorded(archive, 'dgm')];
    expect(runs.map((run) => replay(archive, run).firstDifference)).toEqual([null, null]);
  });

  it.each([
    [
      'another action',
      20,
      `UPDATE decisions SET action = '{"kind":"wait"}' WHERE ordinal = 20`,
      /chooses something else/,
    ],
    [
      'another digest',
      31,
      `UPDATE decisions SET digest = '0000000000000000' WHERE ordinal = 31`,
      /other evidence, or drew/,
    ],
    ['a lost decision', 12, 'DELETE FROM decisions WHERE ordinal = 12', /does not count on/],
    ['a lost end', 60, 'DELETE FROM decisions WHERE ordinal >= 60', /does not count on/],
    ['an earlier clock', 25, 'UPDATE decisions SET as_of_seq = as_of_seq - 3 WHERE ordinal = 25', /./],
    [
      'a journaled draw',
      40,
      `UPDATE decisions SET top = replace(top, '"value":0.', '"value":1.') WHERE ordinal >= 40`,
      /not those that were made/,
    ],
    ['another random seed', 17, `UPDATE runs SET spec = replace(spec, '"randomSeed":1', '"randomSeed":2')`, /./],
    ['evidence that no trial gave', 61, 'UPDATE agents SET s = s + 1 WHERE ordinal = 2', /than its trials add up to/],
    ['a wrong clade', 61, 'UPDATE agents SET clade_n = clade_n + 1 WHERE ordinal = 1', /than its trials add up to/],
  ])('finds a planted difference: %s', async (_, notBefore, sql, why) => {
    using directory = temporaryDirectory();
    cpSync(template.path, directory.path, { recursive: true });
    const sqlite = new Sqlite(join(directory.path, 'archive.sqlite'));
    expect(sqlite.prepare(sql).run().changes).toBeGreaterThan(0);
    sqlite.close();
    await using archive = await openArchive(directory.path, { readOnly: true });
    const { firstDifference } = replay(archive, archive.runs.list()[0]!.id);
    expect(firstDifference?.why).toMatch(why);
    expect(firstDifference?.ordinal).toBeGreaterThanOrEqual(notBefore);
    expect(firstDifference?.recorded).not.toEqual(firstDifference?.recomputed);
  });

  it('finds no difference in a run that goes on meanwhile', async () => {
    using directory = temporaryDirectory();
    await using owner = await openArchive(directory.path);
    const run = runOf60(owner, 'hgm');
    const live = evolving(owner, run);
    for (let i = 0; i < 40; i += 1) live.next();
    await using reader = await openArchive(directory.path, { readOnly: true });
    const before = reader.decisions.list(run.id).length;
    // Whenever events are read, the run has just gone on.
    const after = reader.events.after.bind(reader.events);
    reader.events.after = (page) => {
      for (let i = 0; i < 10; i += 1) live.next();
      return after(page);
    };
    expect(replay(reader, run.id)).toEqual({ decisions: before, firstDifference: null });
    expect(reader.decisions.list(run.id).length).toBeGreaterThan(before);
  });

  it('never holds the whole journal', async () => {
    using directory = temporaryDirectory();
    cpSync(template.path, directory.path, { recursive: true });
    await using archive = await openArchive(directory.path, { readOnly: true });
    const [run] = archive.runs.list();
    const all = archive.decisions.list(run!.id);
    const list = archive.decisions.list.bind(archive.decisions);
    const limits: unknown[] = [];
    archive.decisions.list = (runId, page) => {
      limits.push(page?.limit);
      // As if a page were this short: what follows must be asked for.
      return list(runId, { ...page, limit: 7 });
    };
    expect(replay(archive, run!.id)).toEqual({ decisions: all.length, firstDifference: null });
    expect(limits.length).toBeGreaterThan(all.length / 7);
    expect(limits.every((limit) => typeof limit === 'number' && limit <= 1_000)).toBe(true);
  });

  it('says when there is no such run', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    expect(() => replay(archive, 'r000000')).toThrow(/no run r000000/);
  });
});

/** Records a run of 60 trials in three slots, whose results are made up. */
function recorded(archive: Archive, kind: PolicySpec['kind']): RunId {
  const run = runOf60(archive, kind);
  for (const _ of evolving(archive, run)); // To its end.
  return run.id;
}

function runOf60(archive: Archive, kind: PolicySpec['kind']): Run {
  const spec = RunSpec.parse({ policy: { kind }, budget: { trials: 60 } });
  return createRun(archive, { spec, tasks: Array.from({ length: 12 }, (_, i) => `t${i}`) });
}

/** Goes on with the run, one decision or one settled job a step, until it is finished. */
function* evolving(archive: Archive, { id, spec }: Run): Generator<void> {
  const [policy, standing, rng] = [createPolicy(spec.policy), emptyStanding(), decisionRng(99, 0)];
  const leases: Lease[] = [];
  let asOfSeq = 0;
  for (let nowMs = 2000; archive.runs.get(id)?.state !== 'finished'; nowMs += 7) {
    yield;
    for (const event of archive.events.after({ runId: id, seq: asOfSeq })) {
      applyEvent(standing, event);
      asOfSeq = event.seq;
    }
    const decided = decide({ runId: id, policy, standing, spec, nowMs, asOfSeq });
    if (leases.length === 3 || decided.action.kind === 'wait') {
      settleAny(archive, leases, rng);
      continue;
    }
    const state = standing.closing === null ? 'closing' : 'finished';
    const job = archive.decisions.record({ ...decided, durationUs: 1 }, { jobBudgetUusd: null, state });
    const lease = job && archive.jobs.claim(job, 'w', 1000, nowMs);
    if (lease) leases.push(lease);
  }
}

function settleAny(archive: Archive, leases: Lease[], rng: () => number): void {
  const [lease] = leases.splice(Math.floor(rng() * leases.length), 1);
  if (!lease) throw new Error('The run waits for nothing.');
  if (lease.jobId.includes('-p')) settleChild(archive, lease, lease.jobId);
  else if (rng() < 0.05) archive.jobs.setAside(lease, 'infra', 'made up', 5);
  else settleTrial(archive, lease, rng() < 0.4 ? 1 : 0.25);
}
