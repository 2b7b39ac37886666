import { describe, expect, it } from 'vitest';
import type { Action, AgentId } from '#archive/schema.ts';
import { betaQuantile } from '#services/scheduler/policies/beta.ts';
import type { BudgetLeft, Rng } from '#services/scheduler/policies/policy.ts';
import { decisionRng } from '#services/scheduler/rng.ts';
import { chiSquare, chiSquareLimit, largestDrawProbabilities } from './policies-statistics.ts';
import { World } from './policies-world.ts';

const a = (ordinal: number): AgentId => `r000000-a${ordinal}`;
const unlimited: BudgetLeft = { trials: null, share: 1 };
const rounds = 20_000;

/** A seed agent with 3 of 16, a good child with 3 of 4 that has a poor child with 1 of 3, and a child without a trial. */
function family(policy: object = {}): World {
  const world = new World({ spec: { policy: { kind: 'hgm', firstChildren: 0, ...policy } }, tasks: 30 });
  const [good, fresh] = [world.join(a(1)), world.join(a(1))];
  const poor = world.join(good);
  world.score(a(1), [1, 1, 1, ...Array(13).fill(0)]);
  world.score(good, [1, 1, 1, 0]);
  world.score(poor, [1, 0, 0]);
  expect(fresh).toBe(a(3));
  return world;
}

describe('the parent that HGM breeds from', () => {
  it('is an agent as often as its clade draws the largest number', () => {
    const world = family({ alpha: 1 });
    const clades = [
      [1 + 7, 1 + 16],
      [1 + 4, 1 + 3],
      [1, 1],
      [1 + 1, 1 + 2],
    ] as const;
    expectFrequencies(world, unlimited, clades, parentOf);
  });

  it('is drawn more sharply as the budget of trials is used up', () => {
    const world = family({ alpha: 1 });
    const tau = 100 / (100 - 23);
    const clades = [
      [8, 17],
      [5, 4],
      [1, 1],
      [2, 3],
    ].map(([s, f]) => [tau * s!, tau * f!] as const);
    expectFrequencies(world, { trials: 100, share: 0.5 }, clades, parentOf);
    const least = world.policy.next(world.standing, { trials: 23, share: 0 }, decisionRng(1, 1));
    expect(least.draws[0]?.evidence.tau).toBe(23);
    const beyond = world.policy.next(world.standing, { trials: 10, share: 0 }, decisionRng(1, 1));
    expect(beyond.draws[0]?.evidence.tau).toBe(10);
    const calm = family({ alpha: 1, coolDown: false });
    expect(calm.policy.next(calm.standing, { trials: 20, share: 0 }, decisionRng(1, 1)).draws[0]?.evidence.tau).toBe(1);
  });

  it('is seen with the work under way in its clade, as if that had failed', () => {
    const world = family({ alpha: 1 });
    for (const [i, agent] of [a(4), a(4), a(2)].entries()) begin(world, agent, 5 + i);
    for (const [i, parent] of [a(3), a(4), a(4)].entries())
      world.tell({ kind: 'proposal-begun', proposal: `r000000-p${i + 1}`, parent });
    const tau = 100 / (100 - 26);
    const clades = [
      [8, 17 + 3 + 3],
      [5, 4 + 3 + 2],
      [1, 1 + 1],
      [2, 3 + 2 + 2],
    ].map(([s, f]) => [tau * s!, tau * f!] as const);
    expectFrequencies(world, { trials: 100, share: 1 }, clades, parentOf);
  });

  it('is found in an archive in which nothing was ever solved', () => {
    const world = new World({ spec: { policy: { kind: 'hgm' }, budget: { trials: 200 } }, chance: () => 0 });
    expect(world.run()).toBe('budget: 200 of 200 trials begun');
    expect(world.standing.agents.length).toBeGreaterThan(20);
  });
});

describe('the agent that HGM measures', () => {
  it('is one as often as its own trials draw the largest number, among those with tasks left', () => {
    const world = family({ alpha: 0 });
    world.score(a(3), [1, 1, 1, 1, ...Array(26).fill(0)]);
    const tau = 100 / (100 - 53);
    const own = [
      [1 + 3, 1 + 13],
      [1 + 3, 1 + 1],
      [1 + 1, 1 + 2],
    ].map(([s, f]) => [tau * s!, tau * f!] as const);
    expectFrequencies(world, { trials: 100, share: 1 }, own, (action) =>
      [1, 2, 4].indexOf(ordinalOf(action.kind === 'evaluate' ? action.agent : a(0))),
    );
  });

  it('meets each of the tasks left to it as often as the others', () => {
    const world = new World({ spec: { policy: { kind: 'hgm', alpha: 0, firstChildren: 0 } }, tasks: 20 });
    world.join(a(1));
    world.score(
      a(1),
      Array.from({ length: 16 }, () => 0),
    );
    world.score(a(2), [1, 1, 1], 8);
    const counts = new Map<string, number>();
    for (let round = 1; round <= rounds; round += 1) {
      const { action } = world.policy.next(world.standing, unlimited, decisionRng(3, round));
      if (action.kind === 'evaluate' && action.agent === a(2))
        counts.set(action.task, (counts.get(action.task) ?? 0) + 1);
    }
    expect(counts.size).toBe(17);
    expect([8, 9, 10].some((taken) => counts.has(`task ${taken}`))).toBe(false);
    expect(chiSquare([...counts.values()], Array(17).fill(1 / 17))).toBeLessThan(chiSquareLimit(16));
  });

  it('is none when all have met every task: then it breeds', () => {
    const world = new World({ spec: { policy: { kind: 'hgm', alpha: 0, firstChildren: 0 } }, tasks: 3 });
    world.join(a(1));
    for (const agent of [a(1), a(2)]) world.score(agent, [0, 1, 0]);
    expect(world.step().kind).toBe('propose');
  });
});

describe('the pace of HGM', () => {
  it.each([
    [800, 55, 1],
    [8_000, 220, 1],
    [800, 55, 8],
  ])('gives, at %i trials, about %i agents (%i at once)', (trials, agents, slots) => {
    const world = new World({
      spec: { policy: { kind: 'hgm' }, budget: { trials }, finalMeasure: false },
      slots,
      proposal: sometimes,
    });
    expect(world.run()).toBe(`budget: ${trials} of ${trials} trials begun`);
    while (world.settleOne());
    expect(Math.abs(world.standing.agents.length - agents)).toBeLessThanOrEqual(slots === 1 ? 1 : 4);
  });

  it('begins by measuring the seed agent, then breeds from it five times, then goes by the rule', () => {
    const world = new World({ spec: { policy: { kind: 'hgm' } }, tasks: 14, slots: 1 });
    const kinds = Array.from({ length: 24 }, () => {
      const action = world.step();
      world.settleOne();
      return action.kind === 'evaluate'
        ? `evaluate ${ordinalOf(action.agent)}`
        : action.kind === 'propose'
          ? `propose ${ordinalOf(action.parent)}`
          : '';
    });
    expect(kinds.slice(0, 19)).toEqual([...Array(14).fill('evaluate 1'), ...Array(5).fill('propose 1')]);
    expect(14 ** 0.6).toBeLessThan(6);
    expect(kinds.slice(19).every((kind) => kind.startsWith('evaluate'))).toBe(true);
  });

  it('counts proposals under way as agents and failed ones not', () => {
    const world = family({ alpha: 0.5 });
    expect(Math.sqrt(23)).toBeLessThan(5);
    expect(world.policy.next(world.standing, unlimited, decisionRng(1, 1)).action.kind).toBe('propose');
    world.tell({ kind: 'proposal-begun', proposal: 'r000000-p1', parent: a(1) });
    expect(world.policy.next(world.standing, unlimited, decisionRng(1, 1)).action.kind).toBe('evaluate');
    world.tell({
      kind: 'proposal-settled',
      proposal: 'r000000-p1',
      parent: a(1),
      outcome: 'empty',
      agent: null,
      spentUusd: 0,
    });
    expect(world.policy.next(world.standing, unlimited, decisionRng(1, 1)).action.kind).toBe('propose');
  });

  it('waits for all results of the seed agent before breeding from it, in however many slots', () => {
    const world = new World({ spec: { policy: { kind: 'hgm' } }, tasks: 3, slots: 8 });
    const evaluated = [world.step(), world.step(), world.step()];
    expect(evaluated.map(({ kind }) => kind)).toEqual(['evaluate', 'evaluate', 'evaluate']);
    for (let left = 3; left > 0; left -= 1) {
      expect(world.step()).toEqual({ kind: 'wait' });
      world.settleOne();
    }
    const proposed = Array.from({ length: 5 }, () => world.step());
    expect(proposed).toEqual(Array(5).fill({ kind: 'propose', parent: a(1), editor: a(1) }));
  });

  it('does not let parallel slots all pick the same agent', () => {
    const world = family({ alpha: 0 });
    const picked = Array.from({ length: 12 }, () => world.step()).map((action) =>
      action.kind === 'evaluate' ? action.agent : '',
    );
    expect(new Set(picked).size).toBeGreaterThanOrEqual(3);
  });
});

describe('the champion of HGM', () => {
  it('is the agent whose low percentile is the largest, so that luck on few trials does not lead', () => {
    const world = family();
    world.score(a(3), [1]);
    expect(world.policy.champion(world.standing)).toBe(a(2));
    const bold = family({ championPercentile: 0.9 });
    bold.score(a(3), [1]);
    expect(bold.policy.champion(bold.standing)).toBe(a(3));
  });

  it('is the earlier one of equals, and the seed agent before anything was measured', () => {
    const world = new World({ tasks: 5 });
    world.join(a(1));
    expect(world.policy.champion(world.standing)).toBe(a(1));
    for (const agent of [a(2), a(1)]) world.score(agent, [1, 0]);
    expect(world.policy.champion(world.standing)).toBe(a(1));
  });
});

describe('the champion of HGM among many', () => {
  it.each([
    [0.01, false],
    [0.01, true],
    [0.5, true],
    [0.95, false],
  ])('has the largest percentile %f of all (fractional scores: %s)', (championPercentile, fractional) => {
    const world = new World({ spec: { policy: { kind: 'hgm', championPercentile } }, tasks: 40 });
    const rng = decisionRng(11, 1);
    for (let n = 2; n <= 300; n += 1) world.join(a(1));
    for (const { id } of world.standing.agents) {
      const chance = rng();
      const scores = Array.from({ length: Math.floor(rng() * 40) }, () =>
        rng() < chance ? 1 : fractional ? rng() : 0,
      );
      world.score(id, scores);
    }
    const measured = world.standing.agents.filter(({ n }) => n > 0);
    const largest = measured.map(({ n, s }) => betaQuantile(championPercentile, 1 + s, 1 + n - s));
    const best = measured[largest.indexOf(Math.max(...largest))];
    expect(world.policy.champion(world.standing)).toBe(best?.id);
  });
});

function expectFrequencies(
  world: World,
  left: BudgetLeft,
  parameters: readonly (readonly [number, number])[],
  place: (action: Action) => number,
): void {
  const counts = parameters.map(() => 0);
  const candidates = new Set<number>();
  for (let round = 1; round <= rounds; round += 1) {
    const { action, draws } = world.policy.next(world.standing, left, decisionRng(5, round));
    candidates.add(draws.length);
    counts[place(action)]! += 1;
  }
  expect([...candidates]).toEqual([parameters.length]);
  const probabilities = largestDrawProbabilities(parameters);
  expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4);
  expect(chiSquare(counts, probabilities)).toBeLessThan(chiSquareLimit(parameters.length - 1));
}

function parentOf(action: Action): number {
  return ordinalOf(action.kind === 'propose' ? action.parent : a(0)) - 1;
}

function ordinalOf(agent: AgentId): number {
  return Number(agent.slice(agent.lastIndexOf('a') + 1));
}

function begin(world: World, agent: AgentId, task: number): void {
  const trial = `r000000-t${900 + task}` as const;
  world.tell({ kind: 'trial-begun', trial, agent, task: `task ${task}`, attempt: 1 });
}

function sometimes(rng: Rng): 'empty' | null {
  return rng() < 0.3 ? 'empty' : null;
}
