import { expect, it } from 'vitest';
import type { Proposal, ProposalOutcome, Trial } from '#archive/schema.ts';
import { summaryOf } from '#services/cli/demo-summary.ts';
import { agent, run } from './views.ts';

// Only the fields that are summed up.
const proposal = (outcome: ProposalOutcome | null) => ({ outcome }) as Proposal;
const trial = (task: string, y: number | null) => ({ task, y }) as Trial;

it('a run is summed up: scores with n, tasks gained and lost, branches, proposals by outcome', () => {
  const lineage = [
    agent(1, { children: 2, n: 4, s: 1 }),
    agent(2, { parent: 1, generation: 1, children: 2, n: 4, s: 2 }),
    agent(3, { parent: 1, generation: 1, n: 4, s: 1 }),
    agent(4, { parent: 2, generation: 2, n: 4, s: 3 }),
    agent(5, { parent: 2, generation: 2, n: 2, s: 0 }),
  ];
  const trials = {
    'r000000-a1': [trial('one', 1), trial('two', 0), trial('three', null)],
    'r000000-a4': [trial('one', 0), trial('two', 1), trial('three', 1)],
  };
  const summary = summaryOf({
    run: run({ endedAt: 42_000 }),
    lineage,
    proposals: [proposal('joined'), proposal('joined'), proposal('empty'), proposal(null)],
    trialsOf: (id) => trials[id as keyof typeof trials] ?? [],
    champion: 'r000000-a4',
  });
  expect(summary).toMatchObject({
    seed: { agent: 'r000000-a1', commit: 'c1', score: 0.25, n: 4 },
    champion: { agent: 'r000000-a4', commit: 'c4', score: 0.75, n: 4, generation: 2 },
    gained: ['two'],
    lost: ['one'],
    agents: 5,
    generations: 2,
    livingBranches: 1,
    proposals: { joined: 2, empty: 1 },
    durationMs: 42_000,
    spentUsd: 0.0312,
  });
});
