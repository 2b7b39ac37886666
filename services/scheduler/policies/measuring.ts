import type { Action } from '#archive/schema.ts';
import { meanScore } from './choosing.ts';
import type { AgentStanding, Standing } from './policy.ts';

/**
 * Measuring in stages, for the policies that measure every agent alike: the first `sizes[0]` tasks of the suite, then, for
 * agents that reach `threshold` on these, the next `sizes[1]`. Sizes beyond the suite are cut to it.
 */
export interface Stages {
  sizes: readonly number[];
  threshold: number;
}

/** The next trial of the earliest agent that still has one to begin, or null. All agents meet the same tasks, in the suite's order. */
export function nextMeasurement(standing: Standing, stages: Stages): Action | null {
  for (const agent of standing.agents) {
    const index = firstUntaken(agent, dueTasks(standing, agent, stages));
    const task = index === null ? undefined : standing.tasks[index];
    if (task !== undefined) return { kind: 'evaluate', agent: agent.id, task, attempt: 1 };
  }
  return null;
}

/** Whether all that the agent is due to be measured on has settled. */
export function isMeasured(standing: Standing, agent: AgentStanding, stages: Stages): boolean {
  return agent.pending === 0 && firstUntaken(agent, dueTasks(standing, agent, stages)) === null;
}

/** Whether the agent has been through every stage. */
export function isFullyMeasured(standing: Standing, agent: AgentStanding, { sizes }: Stages): boolean {
  const all = Math.min(standing.tasks.length, sum(sizes));
  return agent.pending === 0 && firstUntaken(agent, all) === null;
}

/** How many of the suite's first tasks the agent is to be measured on, as far as its results show by now. */
function dueTasks(standing: Standing, agent: AgentStanding, { sizes, threshold }: Stages): number {
  const first = Math.min(standing.tasks.length, sizes[0] ?? 0);
  const begunBeyond = agent.taken.size > first;
  const passed = agent.pending === 0 && firstUntaken(agent, first) === null && meanScore(agent) >= threshold;
  return begunBeyond || passed ? Math.min(standing.tasks.length, sum(sizes)) : first;
}

function firstUntaken(agent: AgentStanding, count: number): number | null {
  return agent.nextTask < count ? agent.nextTask : null;
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
