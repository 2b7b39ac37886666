import { describe, expect, it } from 'vitest';
import type { AgentId } from '#archive/schema.ts';
import { decisionRng } from '#services/scheduler/rng.ts';
import { chiSquare, chiSquareLimit } from './policies-statistics.ts';
import { World } from './policies-world.ts';

const a = (ordinal: number): AgentId => `r000000-a${ordinal}`;
const left = { trials: null, share: 1 };
const rounds = 20_000;

/** Measured agents with these solved of 10, all children of the seed agent. */
function siblings(policy: object, solved: readonly number[]): World {
  const world = new World({ spec: { policy }, tasks: 10 });
  for (const [i, count] of solved.entries()) {
    if (i > 0) world.join(a(1));
    world.score(
      a(i + 1),
      Array.from({ length: 10 }, (_, task) => (task < count ? 1 : 0)),
    );
  }
  return world;
}

function parents(world: World): number[] {
  const counts = world.standing.agents.map(() => 0);
  for (let round = 1; round <= rounds; round += 1) {
    const { action } = world.policy.next(world.standing, left, decisionRng(5, round));
    if (action.kind === 'propose') counts[Number(action.parent.split('-a')[1]) - 1]! += 1;
  }
  return counts;
}

describe('DGM', () => {
  it('draws parents in proportion to the sigmoid of their score and the inverse of their children', () => {
    const world = siblings({ kind: 'dgm' }, [3, 4, 6, 5]);
    world.tell({ kind: 'proposal-begun', proposal: 'r000000-p1', parent: a(3) });
    const weights = [
      [0.3, 3],
      [0.4, 0],
      [0.6, 1],
      [0.5, 0],
    ].map(([score, children]) => 1 / (1 + Math.exp(-10 * (score! - 0.5))) / (1 + children!));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    expect(
      chiSquare(
        parents(world),
        weights.map((weight) => weight / total),
      ),
    ).toBeLessThan(chiSquareLimit(3));
  });

  it('measures on the first stage, and on the second only those that reach the threshold there', () => {
    const world = new World({
      spec: {
        policy: { kind: 'dgm', stageTasks: [4, 3], stageThreshold: 0.5 },
        budget: { proposals: 3 },
        finalMeasure: false,
      },
      tasks: 10,
      chance: (agent) => (agent === a(2) || agent === a(3) ? 1 : 0),
    });
    world.run();
    expect(world.standing.agents.map(({ n }) => n)).toEqual([4, 7, 7, 0]);
    expect(world.standing.agents.map(({ taken }) => [...taken])[1]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(world.policy.champion(world.standing)).toBe(a(2));
  });

  it('cuts its stages to the size of the suite', () => {
    const world = new World({
      spec: { policy: { kind: 'dgm' }, budget: { proposals: 4 }, finalMeasure: false },
      tasks: 6,
      chance: () => 1,
    });
    world.run();
    expect(world.standing.agents.map(({ n }) => n)).toEqual([6, 6, 6, 6, 0]);
  });

  it('prefers the fully measured for its champion, however good the others look', () => {
    const world = new World({ spec: { policy: { kind: 'dgm', stageTasks: [2, 2] } }, tasks: 4 });
    for (const _ of [2, 3]) world.join(a(1));
    world.score(a(1), [0, 0]);
    world.score(a(2), [1, 0, 1, 0]);
    expect(world.policy.champion(world.standing)).toBe(a(2));
    world.score(a(3), [1, 1]);
    expect(world.policy.champion(world.standing)).toBe(a(2));
  });

  it('without self-improvement has the seed agent make every edit', () => {
    const world = new World({
      spec: { policy: { kind: 'dgm', selfImprovement: false }, budget: { proposals: 20 } },
      tasks: 5,
    });
    world.run();
    const proposed = world.decisions.flatMap(({ action }) => (action.kind === 'propose' ? [action] : []));
    expect(new Set(proposed.map(({ editor }) => editor))).toEqual(new Set([a(1)]));
    expect(new Set(proposed.map(({ parent }) => parent)).size).toBeGreaterThan(2);
  });
});

describe('greedy', () => {
  it('always breeds from the best mean so far, the earlier of equals', () => {
    const world = siblings({ kind: 'greedy' }, [3, 7, 5, 7]);
    expect(parents(world)).toEqual([0, rounds, 0, 0]);
    expect(world.policy.champion(world.standing)).toBe(a(2));
  });
});

describe('uniform', () => {
  it('breeds from each agent as often as from any other', () => {
    const world = siblings({ kind: 'uniform' }, [0, 10, 5, 7]);
    expect(chiSquare(parents(world), [0.25, 0.25, 0.25, 0.25])).toBeLessThan(chiSquareLimit(3));
    expect(world.policy.champion(world.standing)).toBe(a(2));
  });
});

describe.each(['greedy', 'uniform'] as const)('%s', (kind) => {
  it('measures every agent on the same first tasks before it is bred from', () => {
    const world = new World({
      spec: { policy: { kind, trialsPerAgent: 3 }, budget: { proposals: 6 }, finalMeasure: false },
      tasks: 9,
    });
    world.run();
    const bredFrom = world.standing.agents.slice(0, -1);
    expect(bredFrom.map(({ taken }) => [...taken])).toEqual(Array(6).fill([0, 1, 2]));
  });
});

describe('the final measure', () => {
  /** Final trials begun, beyond the budget, when agents are alike enough to overtake each other. */
  function finalTrials(kind: string, slots: number, seed: number): number {
    const spec = { policy: { kind }, budget: { proposals: 14 }, randomSeed: seed };
    const chance = (agent: AgentId) => 0.1 + 0.02 * (Number(agent.split('-a')[1]) % 10);
    const world = new World({ tasks: 60, slots, seed, spec, chance });
    world.run();
    return world.standing.agents.reduce((sum, { finals }) => sum + finals, 0);
  }

  it.each(['dgm', 'greedy', 'uniform'])('of %s takes hardly more trials in 8 slots than in one', (kind) => {
    const total = (slots: number) =>
      Array.from({ length: 10 }, (_, i) => finalTrials(kind, slots, i + 1)).reduce((sum, n) => sum + n, 0);
    expect(total(8)).toBeLessThan(1.3 * total(1));
  });

  it.each(['dgm', 'greedy', 'uniform'])('of %s does not unseat a champion by beginning its trials', (kind) => {
    const policy = kind === 'dgm' ? { kind, stageTasks: [5, 0] } : { kind, trialsPerAgent: 5 };
    const world = new World({ spec: { policy }, tasks: 10 });
    world.join(a(1));
    world.score(a(1), [1, 0, 0, 0, 0]);
    world.score(a(2), [1, 1, 1, 0, 0]);
    world.tell({ kind: 'run-state', state: 'closing', reason: 'budget' });
    for (let begun = 0; begun < 10; begun += 1) {
      expect(world.policy.champion(world.standing)).toBe(a(2));
      expect(world.step()).toMatchObject({ kind: 'evaluate', agent: a(begun < 5 ? 2 : 1) });
    }
    expect(world.step()).toEqual({ kind: 'wait' });
  });

  it.each([1, 4])(
    'of DGM in %i slots leaves in the race who failed the first stage, and puts nobody past it',
    (slots) => {
      const world = new World({
        spec: { policy: { kind: 'dgm', stageTasks: [4, 4], stageThreshold: 0.6 } },
        tasks: 8,
        slots,
        chance: (agent) => (agent === a(2) ? 1 : 0),
      });
      world.join(a(1));
      world.score(a(1), [0, 0, 0, 0]);
      world.score(a(2), [1, 1, 0, 0]);
      world.tell({ kind: 'run-state', state: 'closing', reason: 'budget' });
      expect(world.run()).toBe('budget');
      expect(world.policy.champion(world.standing)).toBe(a(2));
      expect(world.standing.agents.map(({ taken }) => taken.size)).toEqual([8, 8]);
    },
  );
});
