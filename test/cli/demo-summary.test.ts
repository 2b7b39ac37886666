import { expect, it } from 'vitest';
import type { Proposal, ProposalOutcome, Trial } from '#archive/schema.ts';
import { summaryOf } from '#services/cli/demo-summary.ts';
import { agent, run } from './views.ts';

// Only the fields that are summed up.
const proposal = (outcome: ProposalOutcome | null) => ({ outcome }) as Proposal;
const trial = (task: string, y: number | null) => ({ task, y }) as Trial;

it('a run is summed up: scores with n, tasks gained and lost, branches, proposals by outcome', () => {
  const lineage = [
    agent(1, { children: 2, n: 4, s: 1, cladeS: 9 }),
    agent(2, { parent: 1, generation: 1, children: 3, n: 4, s: 2, cladeS: 7 }),
    agent(3, { parent: 1, generation: 1, n: 4, s: 1, cladeS: 1 }),
    agent(4, { parent: 2, generation: 2, children: 1, n: 4, s: 3, cladeS: 3 }),
    agent(5, { parent: 2, generation: 2, n: 2, s: 0, cladeS: 0 }),
    agent(6, { parent: 4, generation: 3, n: 0, s: 0, cladeS: 0 }),
    agent(7, { parent: 2, generation: 2, children: 1, n: 1, s: 1, cladeS: 2 }),
    agent(8, { parent: 7, generation: 3, n: 1, s: 1, cladeS: 1 }),
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
    agents: 8,
    generations: 3,
    // Agent 4, whose child has not been tried yet, and agent 8, the youngest of its line.
    livingBranches: 2,
    proposals: { joined: 2, empty: 1 },
    durationMs: 42_000,
    spentUsd: 0.0312,
  });
});
