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

/** Whether all that the agent is due to be measured on has settled. A final measure under way takes nothing back. */
export function isMeasured(standing: Standing, agent: AgentStanding, stages: Stages): boolean {
  return settledTrials(agent) >= dueTasks(standing, agent, stages);
}

/** Whether the agent has been through every stage. One that only the final measure took so far has not. */
export function isFullyMeasured(standing: Standing, agent: AgentStanding, { sizes }: Stages): boolean {
  const all = Math.min(standing.tasks.length, sum(sizes));
  return settledTrials(agent) >= all && agent.taken.size - agent.finals >= all;
}

/** How many of the suite's first tasks the agent is to be measured on, as far as its results show by now. */
function dueTasks(standing: Standing, agent: AgentStanding, { sizes, threshold }: Stages): number {
  const first = Math.min(standing.tasks.length, sizes[0] ?? 0);
  const begun = agent.taken.size - agent.finals;
  const passed = agent.finals === 0 && settledTrials(agent) >= first && meanScore(agent) >= threshold;
  return begun > first || passed ? Math.min(standing.tasks.length, sum(sizes)) : first;
}

/** Trials that have settled, set-aside ones too. */
function settledTrials(agent: AgentStanding): number {
  return agent.taken.size - agent.pending;
}

function firstUntaken(agent: AgentStanding, count: number): number | null {
  return agent.nextTask < count ? agent.nextTask : null;
}

function sum(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}
