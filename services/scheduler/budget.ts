import type { Budget } from '#archive/schema.ts';
import type { BudgetLeft } from './policies/policy.ts';
import type { RunStanding } from './standing.ts';

const hourMs = 3_600_000;

/** What a run used up: the limit's name, and a sentence for people. */
export interface Exhausted {
  limit: keyof Budget;
  reason: string;
}

/** How far one limit of a budget is used. */
export interface BudgetUse {
  limit: keyof Budget;
  used: number;
  max: number;
}

/** What is left of a budget, as policies are told it. Trials and proposals count when they begin, money when a job settles. */
export function budgetLeft(budget: Budget, standing: RunStanding, nowMs: number): BudgetLeft {
  // A row of failures can end with the next child: it says nothing of how long the run will go on.
  const shares = budgetUses(budget, standing, nowMs)
    .filter(({ limit }) => limit !== 'fruitless')
    .map(({ used, max }) => Math.max(0, 1 - used / max));
  return { trials: budget.trials, share: Math.min(1, ...shares) };
}

/** The first limit that the run has met, or null. */
export function exhausted(budget: Budget, standing: RunStanding, nowMs: number): Exhausted | null {
  const met = budgetUses(budget, standing, nowMs).find(({ used, max }) => used >= max);
  if (met) return { limit: met.limit, reason: `budget: ${said(met)}` };
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

/** How far each limit that was given is used, in the order in which they are named when several are met at once. */
export function budgetUses(budget: Budget, standing: RunStanding, nowMs: number): BudgetUse[] {
  const used: Record<keyof Budget, number> = {
    usd: standing.spentUusd / 1e6,
    trials: standing.trialsBegun,
    proposals: standing.proposalsBegun,
    agents: standing.agents.length,
    hours: Math.max(0, (standing.restingSinceMs ?? nowMs) - standing.startedMs) / hourMs,
    fruitless: standing.fruitless,
  };
  return order.flatMap((limit) => {
    const max = budget[limit];
    return max === null ? [] : [{ limit, used: used[limit], max }];
  });
}

const order = ['usd', 'trials', 'proposals', 'agents', 'hours', 'fruitless'] as const satisfies (keyof Budget)[];

function said({ limit, used, max }: BudgetUse): string {
  switch (limit) {
    case 'usd':
      return `${dollars(used)} of ${dollars(max)} spent`;
    case 'trials':
      return `${used} of ${max} trials begun`;
    case 'proposals':
      return `${used} of ${max} proposals begun`;
    case 'agents':
      return `${used} of ${max} agents in the lineage`;
    case 'hours':
      return `${used.toFixed(2)} of ${max} hours passed`;
    case 'fruitless':
      return `the last ${used} proposals ended without a child`;
  }
}

function dollars(usd: number): string {
  return `$${usd.toFixed(usd > 0 && usd < 0.01 ? 6 : 2)}`;
}
