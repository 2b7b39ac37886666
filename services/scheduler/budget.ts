import type { Budget } from '#archive/schema.ts';
import type { BudgetLeft } from './policies/policy.ts';
import type { RunStanding } from './standing.ts';

const hourMs = 3_600_000;

/** What a run used up: the limit's name, and a sentence for people. */
export interface Exhausted {
  limit: keyof Budget;
  reason: string;
}

/** What is left of a budget, as policies are told it. Trials and proposals count when they begin, money when a job settles. */
export function budgetLeft(budget: Budget, standing: RunStanding, nowMs: number): BudgetLeft {
  const shares = uses(budget, standing, nowMs).map(({ used, limit }) => Math.max(0, 1 - used / limit));
  return { trials: budget.trials, share: Math.min(1, ...shares) };
}

/** The first limit that the run has met, or null. */
export function exhausted(budget: Budget, standing: RunStanding, nowMs: number): Exhausted | null {
  const met = uses(budget, standing, nowMs).find(({ used, limit }) => used >= limit);
  if (met) return { limit: met.name, reason: `budget: ${met.said}` };
  if (!standing.budgetRefused) return null;
  return {
    limit: 'usd',
    reason: `budget: what is left of ${dollars(budget.usd ?? 0)} cannot pay for another model call`,
  };
}

/** Whether one more proposal might make more agents than the budget allows. */
export function agentsSpokenFor(budget: Budget, standing: RunStanding): boolean {
  return budget.agents !== null && standing.agents.length + standing.proposing >= budget.agents;
}

interface Use {
  name: keyof Budget;
  used: number;
  limit: number;
  said: string;
}

/** How far each limit that was given is used, in the order in which they are named when several are met at once. */
function uses(budget: Budget, standing: RunStanding, nowMs: number): Use[] {
  const spentUsd = standing.spentUusd / 1e6;
  const hours = Math.max(0, nowMs - standing.startedMs) / hourMs;
  const { trialsBegun, proposalsBegun, agents } = standing;
  return [
    use('usd', spentUsd, budget.usd, (limit) => `${dollars(spentUsd)} of ${dollars(limit)} spent`),
    use('trials', trialsBegun, budget.trials, (limit) => `${trialsBegun} of ${limit} trials begun`),
    use('proposals', proposalsBegun, budget.proposals, (limit) => `${proposalsBegun} of ${limit} proposals begun`),
    use('agents', agents.length, budget.agents, (limit) => `${agents.length} of ${limit} agents in the lineage`),
    use('hours', hours, budget.hours, (limit) => `${hours.toFixed(2)} of ${limit} hours passed`),
  ].flat();
}

function use(name: keyof Budget, used: number, limit: number | null, said: (limit: number) => string): Use[] {
  return limit === null ? [] : [{ name, used, limit, said: said(limit) }];
}

function dollars(usd: number): string {
  return `$${usd.toFixed(usd > 0 && usd < 0.01 ? 6 : 2)}`;
}
