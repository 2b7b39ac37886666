import type { Action, AgentId, Draw } from '#archive/schema.ts';
import type { AgentStanding, Choice, Rng, Standing } from './policy.ts';

/** Nothing to draw from: what the policy does is settled. */
export function settled(action: Action): Choice {
  return { action, draws: [] };
}

/** Breeding from the seed agent's or any one's source, edited by that agent itself. */
export function propose(parent: AgentId, editor: AgentId = parent): Action {
  return { kind: 'propose', parent, editor };
}

/** One of the tasks that the agent has not met, each as likely as the others. Null when it has met them all. */
export function untriedTask(standing: Standing, agent: AgentStanding, rng: Rng): Action | null {
  const left = standing.tasks.length - agent.taken.size;
  if (left <= 0) return null;
  let skip = Math.floor(rng() * left);
  for (const [index, task] of standing.tasks.entries()) {
    if (agent.taken.has(index)) continue;
    if (skip === 0) return { kind: 'evaluate', agent: agent.id, task, attempt: 1 };
    skip -= 1;
  }
  return null;
}

/** The largest draw; of equal ones the earlier agent's. */
export function largestDraw(draws: readonly Draw[]): Draw | null {
  let best: Draw | null = null;
  for (const draw of draws) if (best === null || draw.value > best.value) best = draw;
  return best;
}

/** The agent with the largest value; of equal ones the earlier. The seed agent when none is given. */
export function bestAgent(
  standing: Standing,
  agents: readonly AgentStanding[],
  value: (agent: AgentStanding) => number,
): AgentId {
  let best = agents[0] ?? seedAgent(standing);
  let bestValue = value(best);
  for (const agent of agents) {
    const its = value(agent);
    if (its > bestValue) [best, bestValue] = [agent, its];
  }
  return best.id;
}

/** Mean score over an agent's own trials; 0 before the first. */
export function meanScore(agent: AgentStanding): number {
  return agent.n === 0 ? 0 : agent.s / agent.n;
}

export function seedAgent(standing: Standing): AgentStanding {
  const seed = standing.agents[0];
  if (!seed) throw new Error('A run has at least its seed agent before it decides anything.');
  return seed;
}
