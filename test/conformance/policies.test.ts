import { describe, expect, it } from 'vitest';
import type { PolicySpec, TrialOutcome } from '#archive/schema.ts';
import type { Rng } from '#services/scheduler/policies/policy.ts';
import { decisionRng } from '#services/scheduler/rng.ts';
import { World, type WorldOptions } from '#test/scheduler/policies-world.ts';

const kinds: PolicySpec['kind'][] = ['hgm', 'dgm', 'greedy', 'uniform'];

/** Worlds that are hard in one way each. */
const worlds: Record<string, WorldOptions> = {
  'an ordinary one': { slots: 1 },
  'with 8 slots': { slots: 8 },
  'with more slots than tasks': { slots: 32, tasks: 3 },
  'with a single task': { tasks: 1 },
  'where nothing is ever solved': { chance: () => 0, slots: 3 },
  'where everything is solved': { chance: () => 1, slots: 3 },
  'where most proposals fail': { proposal: (rng) => (rng() < 0.9 ? 'own-tests-fail' : null), slots: 3 },
  'where the harness often fails': { trial: (rng) => oddly(rng, 'infra'), slots: 3 },
  'where every trial is set aside': { trial: () => 'infra', slots: 2 },
};

describe.each(kinds)('the policy %s', (kind) => {
  describe.each(Object.entries(worlds))('in a world %s', (_, options) => {
    const spec = { policy: { kind }, budget: { trials: 120, proposals: 40 }, slots: options.slots ?? 1 };
    const world = new World({ tasks: 20, ...options, spec });
    const reason = world.run();

    it('uses up its budget and says which limit it met', () => {
      expect(reason).toMatch(/^budget: (120 of 120 trials|40 of 40 proposals) begun$/);
      expect(world.standing.proposalsBegun).toBeLessThanOrEqual(40);
    });

    it('never gives an agent a task twice, nor one that is none', () => {
      const begun = world.decisions.flatMap(({ action }) =>
        action.kind === 'evaluate' ? [`${action.agent} ${action.task}`] : [],
      );
      expect(new Set(begun).size).toBe(begun.length);
      expect(begun.every((one) => world.standing.tasks.includes(one.slice(one.indexOf(' ') + 1)))).toBe(true);
    });

    it('takes the largest of its draws, and lists it first', () => {
      const drawn = world.decisions.filter(({ candidates }) => candidates > 0);
      expect(drawn.length).toBeGreaterThan(0);
      for (const { action, top, candidates } of drawn) {
        expect(top[0]?.agentId).toBe(
          action.kind === 'propose' ? action.parent : action.kind === 'evaluate' ? action.agent : '',
        );
        expect(top.map(({ value }) => value)).toEqual(top.map(({ value }) => value).toSorted((x, y) => y - x));
        expect(top).toHaveLength(Math.min(8, candidates));
        for (const { evidence, value } of top)
          expect(Number.isFinite(value) && Object.values(evidence).every(Number.isFinite)).toBe(true);
      }
    });

    it('measures seed agent and champion on every task in the end', () => {
      const seed = world.standing.agents[0]!;
      const champion = world.standing.agent(world.policy.champion(world.standing));
      for (const agent of [seed, champion]) expect(agent.taken.size).toBe(world.standing.tasks.length);
    });
  });

  it('chooses the same again from the same standing and numbers, and changes neither', () => {
    const world = new World({
      tasks: 20,
      slots: 4,
      spec: { policy: { kind }, budget: { trials: 60 }, finalMeasure: false },
    });
    world.run();
    const before = snapshot(world);
    const choices = [1, 2].map(() =>
      [1, 2, 3, 4, 5].map((n) => world.policy.next(world.standing, { trials: 90, share: 0.3 }, decisionRng(9, n))),
    );
    expect(choices[0]).toEqual(choices[1]);
    expect(snapshot(world)).toBe(before);
  });

  it('gives the same run again from the same seed, and another from another', () => {
    const [one, again, other] = [1, 1, 2].map((randomSeed) => {
      const world = new World({ tasks: 30, slots: 3, spec: { policy: { kind }, randomSeed, budget: { trials: 100 } } });
      world.run();
      return JSON.stringify(world.decisions);
    });
    expect(one).toBe(again);
    expect(kind === 'greedy' || one !== other).toBe(true);
  });
});

function oddly(rng: Rng, outcome: TrialOutcome): TrialOutcome | null {
  return rng() < 0.4 ? outcome : null;
}

function snapshot(world: World): string {
  return JSON.stringify(world.standing.agents.map((agent) => ({ ...agent, above: null, taken: [...agent.taken] })));
}
