import { mkdtemp, rm } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Repository } from '#archive/repository.ts';
import { RunSpec } from '#archive/schema.ts';
import { Ability } from '#benchmarks/schema.ts';
import { openSuite } from '#benchmarks/suite.ts';
import { createProcess } from '#sandbox/process.ts';
import { entries } from '#services/gateway/rehearsal/bank/bank.ts';
import type { Entry } from '#services/gateway/rehearsal/bank/entry.ts';
import { createRehearsal } from '#services/gateway/rehearsal/rehearsal.ts';
import { propose } from '#services/proposer/propose.ts';
import { simulate } from './rehearsal-simulation.ts';
import { edited, openStage, readSource, seedDirectory } from './rehearsal-stage.ts';
import { suiteOf, task } from './rehearsal-tasks.ts';

const seedSource = await readSource(seedDirectory);
const harmful = entries.filter(({ effect }) => effect.kind === 'harmful');
const worse = harmful.filter(({ effect }) => effect.kind === 'harmful' && effect.harm === 'worse');
const joining = entries.filter((entry) => !harmful.includes(entry) || worse.includes(entry));
const remedies = joining.filter(({ effect }) => effect.kind === 'good' && effect.extent === 'full');

describe('the bank of improvements', () => {
  it('has titles that fit a commit and name one entry each', () => {
    const titles = entries.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
    expect(titles.filter((title) => title.length > 60)).toEqual([]);
  });

  it('has a full remedy for every ability', () => {
    const single = remedies.flatMap(({ effect }) =>
      effect.kind === 'good' && effect.abilities.length === 1 ? effect.abilities : [],
    );
    expect([...single].sort()).toEqual([...Ability.options].sort());
  });

  it('fits the seed agent: every entry can be made on its source', () => {
    for (const entry of entries) expect(() => edited(seedSource, entry), entry.title).not.toThrow();
  });

  it('has entries that can be made in any order, as long as none does what another did', () => {
    const orders = fc.shuffledSubarray([...joining]);
    fc.assert(
      fc.property(orders, (order) => {
        const made = order.filter((entry, index) => !order.slice(0, index).some((earlier) => overlaps(entry, earlier)));
        const source = made.reduce((before: ReadonlyMap<string, string>, entry) => edited(before, entry), seedSource);
        for (const [path, text] of source) if (path.endsWith('.ts')) stripTypeScriptTypes(text);
      }),
      { seed: 7, numRuns: 100 },
    );
  });
});

describe('harmful improvements', { timeout: 60_000 }, () => {
  let home: string;
  let repository: Repository;
  let seed: { commit: string; tree: string };

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'clade-bank-'));
    repository = new Repository(home, () => []);
    await repository.create();
    seed = await repository.commitSeed(seedDirectory);
  });
  afterAll(() => rm(home, { recursive: true, force: true }));

  it.each(
    harmful.filter((entry) => !worse.includes(entry)).map((entry) => [harmOf(entry), entry.title, entry] as const),
  )('%s: %s', async (harm, _title, entry) => {
    expect((await proposed(entry)).outcome).toBe(harm);
  });

  it.each(worse.map((entry) => [entry.title, entry] as const))(
    'is viable, and solves less than before: %s',
    async (_title, entry) => {
      expect((await proposed(entry)).outcome).toBe('viable');
      const abilities: Ability[][] = [[], ['run-tests'], ['recover'], ['persistence']];
      const tasks = abilities.map((needed) => task(`t${needed.join('').length}`, needed, { filling: 20 }));
      await using stage = await openStage(suiteOf(tasks));
      const before = remedies.filter(
        (remedy) => isSingle(remedy) && abilities.some(([one]) => one && lifts(remedy, one)),
      );
      const solved = async (agent: string) =>
        (await Array.fromAsync(tasks, (one) => stage.solves(agent, one))).filter(Boolean).length;
      expect(await solved(await stage.agent(...before))).toBe(tasks.length);
      expect(await solved(await stage.agent(...before, entry))).toBeLessThan(tasks.length);
    },
  );

  async function proposed(entry: Entry) {
    const suite = await openSuite('katas', { shelf: home });
    const rehearsal = createRehearsal({ suites: () => [suite] });
    const [smokeTask] = suite.tasks.filter(({ abilities }) => abilities.length === 0);
    if (!smokeTask) throw new Error('the suite has no simple task');
    const answer = { title: entry.title, improvement: entry.improvement };
    const agent = { id: 'rk7m2pq-a1', ...seed } as const;
    return propose(
      {
        kind: 'proposal',
        lease: { jobId: 'rk7m2pq-p1', epoch: 1 },
        leaseMs: 60_000,
        runId: 'rk7m2pq',
        spec: RunSpec.parse({ limits: { trialSeconds: 30, proposalSeconds: 30 } }),
        owner: 'bank-tests',
        parent: agent,
        editor: agent,
        evidence: { kind: 'none', trialIds: [] },
        past: [],
        tried: [],
        smokeTask,
      },
      {
        driver: createProcess(),
        source: (tree) => repository.sourceTar(tree),
        stage: (patch) => repository.stage({ parentCommit: seed.commit, patch }),
        model: async (role, request) => {
          const reply = rehearsal.chat(JSON.parse(await request.text()), 1);
          const [choice] = reply.choices;
          if (role === 'diagnosis' && choice) choice.message.content = JSON.stringify(answer);
          return Response.json(reply);
        },
        report: () => {},
        signal: new AbortController().signal,
      },
    );
  }
});

describe('a run on the katas, simulated', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
    'comes from a poor seed agent to a good champion over dead and living branches: seed %i',
    async (randomSeed) => {
      const suite = await openSuite('katas', { shelf: tmpdir() });
      const run = simulate(suite, seedSource, { randomSeed, proposals: 28, trials: 200 });
      const failed = [...run.outcomes.keys()].filter((outcome) => outcome !== 'joined' && outcome !== 'duplicate');
      expect(run.seedScore).toBeLessThanOrEqual(0.4);
      expect(run.championScore).toBeGreaterThanOrEqual(0.75);
      expect(failed.length, [...run.outcomes].join(' ')).toBeGreaterThanOrEqual(4);
      expect(run.generations).toBeGreaterThanOrEqual(3);
      expect(run.branches).toBeGreaterThanOrEqual(2);
    },
  );
});

/** Whether two entries make the same change or remedy the same ability: then only one of them is proposed. */
function overlaps(one: Entry, other: Entry): boolean {
  const places = ({ edits }: Entry) => edits.map((edit) => (edit.kind === 'create' ? edit.path : JSON.stringify(edit)));
  return places(one).some((place) => places(other).includes(place));
}

function isSingle({ effect }: Entry): boolean {
  return effect.kind === 'good' && effect.abilities.length === 1;
}

function lifts({ effect }: Entry, ability: Ability): boolean {
  return effect.kind === 'good' && effect.abilities.includes(ability);
}

function harmOf({ effect }: Entry): string {
  return effect.kind === 'harmful' ? effect.harm : effect.kind;
}
