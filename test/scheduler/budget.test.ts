import { describe, expect, it } from 'vitest';
import { Budget } from '#archive/schema.ts';
import { agentsSpokenFor, budgetLeft, budgetUses, exhausted } from '#services/scheduler/budget.ts';
import { World } from './policies-world.ts';

const a1 = 'r000000-a1';

/** 3 trials begun, 1 proposal under way, 2 agents, $0.25 spent, begun at 0. */
function used(): World {
  const world = new World({ tasks: 5 });
  world.join(a1);
  world.score(a1, [1, 0, 1]);
  world.tell({ kind: 'proposal-begun', proposal: 'r000000-p1', parent: a1 });
  world.tell({
    kind: 'proposal-settled',
    proposal: 'r000000-p1',
    parent: a1,
    outcome: 'empty',
    agent: null,
    spentUusd: 250_000,
  });
  world.tell({ kind: 'proposal-begun', proposal: 'r000000-p2', parent: a1 });
  return world;
}

describe('a budget', () => {
  it.each([
    [{ usd: 0.25 }, 'budget: $0.25 of $0.25 spent'],
    [{ trials: 3 }, 'budget: 3 of 3 trials begun'],
    [{ proposals: 2 }, 'budget: 2 of 2 proposals begun'],
    [{ agents: 2 }, 'budget: 2 of 2 agents in the lineage'],
    [{ hours: 0.5 }, 'budget: 0.50 of 0.5 hours passed'],
    [{ trials: 2, usd: 0.1 }, 'budget: $0.25 of $0.10 spent'],
    [{ fruitless: 1 }, 'budget: the last 1 proposals ended without a child'],
  ])('of %o is exhausted, and says so', (limits, reason) => {
    expect(exhausted(Budget.parse(limits), used().standing, 1_800_000)?.reason).toBe(reason);
  });

  it.each([{}, { usd: 0.26 }, { trials: 4 }, { proposals: 3 }, { agents: 3 }, { hours: 0.51 }, { fruitless: 2 }])(
    'of %o is not',
    (limits) => {
      expect(exhausted(Budget.parse(limits), used().standing, 1_800_000)).toBeNull();
    },
  );

  it('is told to policies as the trials given and the smallest share left', () => {
    const { standing } = used();
    expect(budgetLeft(Budget.parse({}), standing, 0)).toEqual({ trials: null, share: 1 });
    expect(budgetLeft(Budget.parse({ usd: 1, trials: 4, hours: 1 }), standing, 1_800_000)).toEqual({
      trials: 4,
      share: 0.25,
    });
    expect(budgetLeft(Budget.parse({ trials: 2 }), standing, 0)).toEqual({ trials: 2, share: 0 });
  });

  it('of hours stands still while the run is paused, and once it is over', () => {
    const world = used();
    const hours = (nowMs: number) => budgetUses(Budget.parse({ hours: 4 }), world.standing, nowMs)[0]?.used;
    expect(hours(3_600_000)).toBe(1);
    world.tell({ kind: 'run-state', state: 'paused', reason: null }, 3_600_000);
    expect(hours(7_200_000)).toBe(1);
    world.tell({ kind: 'run-state', state: 'running', reason: null }, 7_200_000);
    expect(hours(10_800_000)).toBe(2);
    world.tell({ kind: 'run-state', state: 'finished', reason: null }, 10_800_000);
    expect(hours(36_000_000)).toBe(2);
  });

  it('of money is exhausted when the ledger could not pay for another call', () => {
    const world = used();
    expect(exhausted(Budget.parse({ usd: 0.3 }), world.standing, 0)).toBeNull();
    world.tell({ kind: 'notice', level: 'info', code: 'budget-refused', message: '' });
    expect(exhausted(Budget.parse({ usd: 0.3 }), world.standing, 0)).toMatchObject({ limit: 'usd' });
  });

  it('of agents counts the proposals under way before another is begun', () => {
    expect(agentsSpokenFor(Budget.parse({ agents: 3 }), used().standing)).toBe(true);
    expect(agentsSpokenFor(Budget.parse({ agents: 4 }), used().standing)).toBe(false);
    expect(agentsSpokenFor(Budget.parse({}), used().standing)).toBe(false);
  });
});

describe('a run with a budget', () => {
  it('of agents has never more of them, in however many slots', () => {
    for (const slots of [1, 5]) {
      const world = new World({
        slots,
        spec: { budget: { agents: 9 }, finalMeasure: false },
        proposal: (rng) => (rng() < 0.3 ? 'empty' : null),
      });
      expect(world.run()).toBe('budget: 9 of 9 agents in the lineage');
      while (world.settleOne());
      expect(world.standing.agents).toHaveLength(9);
    }
  });

  it('of trials still measures seed agent and champion in the end, when it is asked to', () => {
    const world = new World({ tasks: 30, slots: 3, spec: { budget: { trials: 50 } } });
    expect(world.run()).toBe('budget: 50 of 50 trials begun');
    expect(world.standing.agents[0]?.n).toBe(30);
    expect(world.standing.trialsBegun).toBeGreaterThan(50);
  });

  it('of trials measures the champion before the seed agent, whose many trials would unseat it otherwise', () => {
    const world = new World({ tasks: 82, chance: (agent) => (agent === a1 ? 0.45 : 0.6) });
    const child = world.join(a1);
    world.score(a1, [1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0]);
    world.score(child, [1, 0, 1, 0, 1, 0, 1]);
    world.tell({ kind: 'run-state', state: 'closing', reason: 'budget' });
    world.run();
    expect(world.standing.agents.map(({ n }) => n)).toEqual([82, 82]);
    expect(world.policy.champion(world.standing)).toBe(child);
  });

  it('of money does not', () => {
    const world = new World({ tasks: 30, slots: 1, spec: { budget: { usd: 0.000_2 } } });
    expect(world.run()).toBe('budget: $0.000200 of $0.000200 spent');
    expect(world.standing.agents[0]?.n).toBeLessThan(30);
    expect(world.standing.evaluating + world.standing.proposing).toBe(0);
  });

  it('of proposals is not used up by those that were set aside', () => {
    let at = 0;
    const world = new World({
      spec: { budget: { proposals: 3 }, finalMeasure: false },
      proposal: () => (at++ % 2 === 0 ? 'infra' : 'empty'),
    });
    expect(world.run()).toBe('budget: 3 of 3 proposals begun');
    expect(at).toBeGreaterThanOrEqual(5);
  });

  it('of trials alone ends when no proposal ever makes a child', () => {
    const failing = { slots: 2, spec: { budget: { trials: 500 } }, proposal: () => 'fails-smoke' as const };
    const world = new World(failing);
    expect(world.run()).toBe('budget: the last 100 proposals ended without a child');
    expect(world.standing.agents).toHaveLength(1);
  });

  it('counts fruitless proposals from the last child on, and not those that the harness failed at', () => {
    const outcomes = ['empty', 'empty', null, 'infra', 'empty', 'infra', 'empty', 'empty'] as const;
    let at = 0;
    const world = new World({ spec: { budget: { fruitless: 3 } }, proposal: () => outcomes[at++] ?? null });
    expect(world.run()).toBe('budget: the last 3 proposals ended without a child');
    expect(at).toBe(outcomes.length);
  });
});
