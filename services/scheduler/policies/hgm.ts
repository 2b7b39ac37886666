import type { AgentId, Draw, PolicySpec } from '#archive/schema.ts';
import { betaQuantile, drawBeta, reachesByBeta } from './beta.ts';
import { largestDraw, propose, seedAgent, settled, untriedTask } from './choosing.ts';
import type { AgentStanding, BudgetLeft, Choice, Policy, Rng, Standing } from './policy.ts';

type Options = Extract<PolicySpec, { kind: 'hgm' }>;

/** Tasks that the seed agent is measured on before it is bred from: enough failures to learn from, few enough to afford. */
const seedTasks = 16;
/** Without a budget of trials, the cool-down goes by the smallest share left of the others; this bounds it. */
const leastShare = 1e-3;

/**
 * The Huxley-Goedel Machine (arXiv 2510.21614): breeds from clades and measures agents by Thompson sampling.
 *
 * Start: the seed agent is measured on up to 16 tasks, then, when all of these have settled, `firstChildren` proposals are
 * made from it: the only time that free slots wait for each other. From then on, with N
 * trials begun and |T| agents (proposals under way counted, failed ones not), it proposes when N^alpha >= |T| and measures
 * otherwise. A parent is the largest draw of Beta(tau (1 + S), tau (1 + F)) over clades, an agent to measure the largest of
 * Beta(tau (1 + s), tau (1 + f)) over its own trials.
 *
 * Work under way counts as failed until it settles: a virtual loss (Chaslot, Winands, van den Herik, Parallel Monte-Carlo
 * tree search, 2008). It spreads parallel slots over clades, and is gone without a trace when the result comes.
 */
export function createHgm(options: Options): Policy {
  return {
    next: (standing, left, rng) => start(standing, options) ?? step(standing, left, rng, options),
    champion: (standing) => champion(standing, options.championPercentile),
  };
}

function start(standing: Standing, { firstChildren }: Options): Choice | null {
  const seed = seedAgent(standing);
  const task = seed.nextTask < seedTasks ? standing.tasks[seed.nextTask] : undefined;
  if (standing.proposalsBegun === 0 && task !== undefined) {
    return settled({ kind: 'evaluate', agent: seed.id, task, attempt: 1 });
  }
  if (standing.proposalsBegun >= firstChildren) return null;
  // A proposal starts from failures that were seen, and the first ones from all of the seed agent's.
  if (standing.proposalsBegun === 0 && seed.pending > 0) return settled({ kind: 'wait' });
  return settled(propose(seed.id));
}

function step(standing: Standing, left: BudgetLeft, rng: Rng, options: Options): Choice {
  const tau = options.coolDown ? temperature(standing, left) : 1;
  const measurable = standing.agents.filter((agent) => agent.nextTask < standing.tasks.length);
  const expands = expandRule(standing, options.alpha) || measurable.length === 0;
  return expands ? breed(standing.agents, tau, rng) : measure(standing, measurable, tau, rng);
}

/** N^alpha >= |T|. */
function expandRule(standing: Standing, alpha: number): boolean {
  return standing.trialsBegun ** alpha >= standing.agents.length + standing.proposing;
}

/** tau = B / b: B the budget of trials, b what is left of it, at least 1. */
function temperature({ trialsBegun }: Standing, { trials, share }: BudgetLeft): number {
  return trials === null ? 1 / Math.max(share, leastShare) : trials / Math.max(1, trials - trialsBegun);
}

function breed(agents: readonly AgentStanding[], tau: number, rng: Rng): Choice {
  const draws = agents.map(({ id, cladeN, cladeS, cladePending, cladeProposing }) => {
    const pending = cladePending + cladeProposing;
    const value = drawBeta(tau * (1 + cladeS), tau * (1 + (cladeN - cladeS) + pending), rng);
    return draw(id, { n: cladeN, s: cladeS, pending, tau }, value);
  });
  const parent = largestDraw(draws);
  return parent ? { action: propose(parent.agentId), draws } : settled({ kind: 'wait' });
}

function measure(standing: Standing, agents: readonly AgentStanding[], tau: number, rng: Rng): Choice {
  const draws = agents.map(({ id, n, s, pending }) => {
    const value = drawBeta(tau * (1 + s), tau * (1 + (n - s) + pending), rng);
    return draw(id, { n, s, pending, tau }, value);
  });
  const chosen = largestDraw(draws);
  const action = chosen && untriedTask(standing, standing.agent(chosen.agentId), rng);
  return action ? { action, draws } : settled({ kind: 'wait' });
}

function draw(agentId: AgentId, evidence: Draw['evidence'], value: number): Draw {
  return { agentId, evidence, value };
}

/** The measured agent with the largest percentile of Beta(1 + s, 1 + f), of equals the earlier; one never measured leads nothing. */
function champion(standing: Standing, percentile: number): AgentId {
  let best = seedAgent(standing);
  let bestValue = 0;
  for (const agent of standing.agents) {
    const [a, b] = [1 + agent.s, 1 + (agent.n - agent.s)];
    if (agent.n === 0 || reachesByBeta(percentile, bestValue, a, b)) continue;
    const value = betaQuantile(percentile, a, b);
    if (value > bestValue) [best, bestValue] = [agent, value];
  }
  return best.id;
}
