import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AgentId, Event } from '#archive/schema.ts';
import type { AgentStanding } from '#services/scheduler/policies/policy.ts';
import { applyEvent, emptyStanding } from '#services/scheduler/standing.ts';
import { World } from './policies-world.ts';

const a = (ordinal: number): AgentId => `r000000-a${ordinal}`;
const p = (ordinal: number) => `r000000-p${ordinal}` as const;
const t = (ordinal: number) => `r000000-t${ordinal}` as const;

/** Runs that meet everything: failures of the harness, failed proposals, several slots. */
const runs = fc.record({
  slots: fc.integer({ min: 1, max: 6 }),
  tasks: fc.integer({ min: 1, max: 25 }),
  seed: fc.nat(1000),
  trials: fc.integer({ min: 1, max: 120 }),
});

describe('the standing of a run', () => {
  it('holds clade sums that equal the recomputed ones, on random lineages and at every event', () => {
    fc.assert(
      fc.property(runs, ({ slots, tasks, seed, trials }) => {
        const world = new World({
          ...{ slots, tasks, seed, spec: { budget: { trials, proposals: 30 }, randomSeed: seed } },
          trial: (rng) => (rng() < 0.1 ? 'infra' : null),
          proposal: (rng) => (rng() < 0.3 ? 'empty' : null),
        });
        world.run();
        const standing = emptyStanding();
        for (const event of world.events) {
          applyEvent(standing, event);
          expect(standing.agents.map(cladeOf)).toEqual(recomputedClades(standing.agents));
          expect(standing.agents.reduce((sum, agent) => sum + agent.pending, 0)).toBe(standing.evaluating);
          expect(standing.agents.reduce((sum, agent) => sum + agent.proposing, 0)).toBe(standing.proposing);
        }
      }),
      { numRuns: 15, seed: 3 },
    );
  });

  it('is the same however its events are cut into pieces', () => {
    const world = new World({ slots: 3, tasks: 10, spec: { budget: { trials: 60 } } });
    world.run();
    const again = emptyStanding();
    for (const event of JSON.parse(JSON.stringify(world.events)) as Event[]) applyEvent(again, event);
    expect(JSON.stringify(again)).toBe(JSON.stringify(world.standing));
    expect(again.decisions).toBe(world.decisions.length - 1);
  });

  it('sees work under way until it settles, in the whole clade', () => {
    const world = new World({ tasks: 3 });
    const grandchild = world.join(world.join(a(1)));
    world.tell({ kind: 'trial-begun', trial: t(1), agent: grandchild, task: 'task 1', attempt: 1 });
    world.tell({ kind: 'proposal-begun', proposal: p(1), parent: a(2) });
    expect(
      world.standing.agents.map(({ pending, cladePending, proposing, cladeProposing }) => {
        return [pending, cladePending, proposing, cladeProposing];
      }),
    ).toEqual([
      [0, 1, 0, 1],
      [0, 1, 1, 1],
      [1, 1, 0, 0],
    ]);
    world.tell({
      kind: 'trial-settled',
      trial: t(1),
      agent: grandchild,
      task: 'task 1',
      outcome: 'resolved',
      y: 1,
      spentUusd: 5,
    });
    world.tell({ kind: 'proposal-settled', proposal: p(1), parent: a(2), outcome: 'empty', agent: null, spentUusd: 7 });
    const { evaluating, proposing, trialsBegun, proposalsBegun, spentUusd } = world.standing;
    expect({ evaluating, proposing, trialsBegun, proposalsBegun, spentUusd }).toEqual({
      ...{ evaluating: 0, proposing: 0, trialsBegun: 1, proposalsBegun: 1, spentUusd: 12 },
    });
    expect(world.standing.agents.map(cladeOf)).toEqual([
      { cladeN: 1, cladeS: 1, cladePending: 0, cladeProposing: 0 },
      { cladeN: 1, cladeS: 1, cladePending: 0, cladeProposing: 0 },
      { cladeN: 1, cladeS: 1, cladePending: 0, cladeProposing: 0 },
    ]);
  });

  it.each(['infra', 'cancelled'] as const)(
    'takes a trial set aside as %s out of the count and does not choose it again',
    (outcome) => {
      const world = new World({ tasks: 3 });
      world.tell({ kind: 'trial-begun', trial: t(1), agent: a(1), task: 'task 0', attempt: 1 });
      world.tell({ kind: 'trial-settled', trial: t(1), agent: a(1), task: 'task 0', outcome, y: null, spentUusd: 4 });
      expect(world.standing).toMatchObject({ trialsBegun: 0, evaluating: 0, spentUusd: 4, decisions: 1 });
      expect(world.standing.agent(a(1))).toMatchObject({ n: 0, cladeN: 0, pending: 0, nextTask: 1 });
      expect([...world.standing.agent(a(1)).taken]).toEqual([0]);
    },
  );

  it.each(['infra', 'cancelled'] as const)('takes a proposal set aside as %s out of the count', (outcome) => {
    const world = new World();
    world.tell({ kind: 'proposal-begun', proposal: p(1), parent: a(1) });
    world.tell({ kind: 'proposal-settled', proposal: p(1), parent: a(1), outcome, agent: null, spentUusd: 3 });
    expect(world.standing).toMatchObject({ proposalsBegun: 0, proposing: 0, spentUusd: 3, decisions: 1 });
    expect(world.standing.agent(a(1))).toMatchObject({ proposing: 0, cladeProposing: 0 });
  });

  it('knows of a proposal under way which of its siblings had settled when it began', () => {
    const world = new World();
    world.join(a(1));
    const begin = (n: number, parent: AgentId) => world.tell({ kind: 'proposal-begun', proposal: p(n), parent });
    const end = (n: number, parent: AgentId) =>
      world.tell({ kind: 'proposal-settled', proposal: p(n), parent, outcome: 'empty', agent: null, spentUusd: 0 });
    for (const n of [1, 2, 3]) begin(n, a(1));
    begin(4, a(2));
    end(4, a(2));
    end(2, a(1));
    begin(5, a(1));
    end(1, a(1));
    expect(world.standing.settledBefore(p(5))).toEqual([p(2)]);
    expect(world.standing.settledBefore(p(3))).toEqual([]);
  });

  it('lets the clock stand still while nobody is there to work, once if the run was paused besides', () => {
    const world = new World();
    const { startedMs } = world.standing;
    world.tell({ kind: 'service-away', fromMs: 10_000, untilMs: 15_000 }, 15_000);
    expect(world.standing.startedMs - startedMs).toBe(5_000);
    world.tell({ kind: 'run-state', state: 'paused', reason: null }, 20_000);
    world.tell({ kind: 'service-away', fromMs: 22_000, untilMs: 30_000 }, 30_000);
    world.tell({ kind: 'run-state', state: 'running', reason: null }, 31_000);
    expect(world.standing.startedMs - startedMs).toBe(16_000);
  });

  it('lets the clock stand still while the run is paused', () => {
    const world = new World();
    const { startedMs } = world.standing;
    world.tell({ kind: 'run-state', state: 'pausing', reason: null }, 10_000);
    world.tell({ kind: 'run-state', state: 'paused', reason: null }, 12_000);
    world.tell({ kind: 'run-state', state: 'running', reason: null }, 20_000);
    expect(world.standing.startedMs - startedMs).toBe(8_000);
  });

  it('refuses events of agents that never joined', () => {
    const world = new World();
    expect(() => world.tell({ kind: 'proposal-begun', proposal: p(1), parent: a(7) })).toThrow(/a7 before it joined/);
  });
});

function cladeOf({ cladeN, cladeS, cladePending, cladeProposing }: AgentStanding) {
  return { cladeN, cladeS, cladePending, cladeProposing };
}

/** By the definition: every agent adds its own to each of its ancestors. */
function recomputedClades(agents: readonly AgentStanding[]) {
  const parents = new Map(agents.map(({ id, parent }) => [id, parent]));
  const sums = new Map(agents.map(({ id }) => [id, { cladeN: 0, cladeS: 0, cladePending: 0, cladeProposing: 0 }]));
  for (const { id, n, s, pending, proposing } of agents) {
    for (let up: AgentId | null = id; up !== null; up = parents.get(up) ?? null) {
      const sum = sums.get(up)!;
      sum.cladeN += n;
      sum.cladeS += s;
      sum.cladePending += pending;
      sum.cladeProposing += proposing;
    }
  }
  return [...sums.values()];
}
