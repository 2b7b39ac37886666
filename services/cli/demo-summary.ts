import type { Agent, AgentId, Proposal, ProposalOutcome, Run, Trial } from '#archive/schema.ts';
import type { AgentView } from '#services/api/schema.ts';
import { agentView, compared } from '#services/api/view.ts';

/** What a finished run came to. */
export interface Summary {
  run: string;
  seed: Measured;
  champion: Measured & { generation: number };
  /** Tasks that the champion solves and the seed agent does not, and the other way round, of those both tried. */
  gained: string[];
  lost: string[];
  agents: number;
  generations: number;
  /**
   * Lines of descent that still bear fruit: agents of the second generation or later that have solved something, while none of
   * their descendants has (they may be too young to have been tried).
   */
  livingBranches: number;
  trials: number;
  proposals: Partial<Record<ProposalOutcome, number>>;
  durationMs: number;
  spentUsd: number;
}

/** An agent with its own score: mean, n, and the ends of the 95 % interval. */
interface Measured {
  agent: AgentId;
  commit: string;
  score: number | null;
  n: number;
  low: number;
  high: number;
}

export interface SummaryParts {
  run: Run;
  lineage: readonly Agent[];
  proposals: readonly Proposal[];
  /** The trials of an agent. */
  trialsOf: (agent: AgentId) => readonly Trial[];
  champion: AgentId;
}

/** Sums up a run. @throws RangeError for a run without agents. */
export function summaryOf({ run, lineage, proposals, trialsOf, champion }: SummaryParts): Summary {
  const views = lineage.map(agentView);
  const seed = views.find((agent) => agent.parentId === null);
  const best = views.find((agent) => agent.id === champion);
  if (seed === undefined || best === undefined) throw new RangeError(`run ${run.id} has no agents to sum up`);
  return {
    run: run.id,
    seed: measured(seed),
    champion: { ...measured(best), generation: best.generation },
    ...compared(trialsOf(seed.id), trialsOf(best.id)),
    agents: views.length,
    generations: Math.max(...views.map((agent) => agent.generation)),
    livingBranches: views.filter(isLivingBranch).length,
    trials: run.counts.trialsSettled,
    proposals: countOutcomes(proposals),
    durationMs: (run.endedAt ?? run.createdAt) - run.createdAt,
    spentUsd: run.spentUusd / 1e6,
  };
}

function measured({ id, commit, score }: AgentView): Measured {
  return { agent: id, commit, score: score.mean, n: score.n, low: score.low, high: score.high };
}

function isLivingBranch(agent: AgentView): boolean {
  return agent.generation >= 2 && agent.s > 0 && agent.cladeS === agent.s;
}

/** How many proposals came to what; those still under way are left out. */
function countOutcomes(proposals: readonly Proposal[]): Partial<Record<ProposalOutcome, number>> {
  const counts: Partial<Record<ProposalOutcome, number>> = {};
  for (const { outcome } of proposals) if (outcome !== null) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
