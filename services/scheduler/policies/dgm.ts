import type { Draw, PolicySpec } from '#archive/schema.ts';
import { bestAgent, largestDraw, meanScore, propose, seedAgent, settled } from './choosing.ts';
import { isFullyMeasured, isMeasured, nextMeasurement, type Stages } from './measuring.ts';
import type { AgentStanding, Choice, Policy, Rng, Standing } from './policy.ts';

type Options = Extract<PolicySpec, { kind: 'dgm' }>;

/**
 * The Darwin Goedel Machine (arXiv 2505.22954). Each child is measured on a first stage of tasks and, if it reaches the
 * threshold there, on a second; parents are drawn, with replacement, from the measured agents with probability proportional
 * to 1 / (1 + exp(-10 (score - 0.5))) * 1 / (1 + children). Without self-improvement the seed agent makes every edit.
 * Champion: the best score among the fully measured, or, while there is none, among the measured.
 */
export function createDgm({ stageTasks, stageThreshold, selfImprovement }: Options): Policy {
  const stages: Stages = { sizes: stageTasks, threshold: stageThreshold };
  return {
    next: (standing, _left, rng) => next(standing, stages, selfImprovement, rng),
    champion: (standing) => {
      const full = standing.agents.filter((agent) => agent.n > 0 && isFullyMeasured(standing, agent, stages));
      const measured = standing.agents.filter((agent) => agent.n > 0 && isMeasured(standing, agent, stages));
      return bestAgent(standing, full.length > 0 ? full : measured, meanScore);
    },
  };
}

function next(standing: Standing, stages: Stages, selfImprovement: boolean, rng: Rng): Choice {
  const measurement = nextMeasurement(standing, stages);
  if (measurement) return settled(measurement);
  const parents = standing.agents.filter((agent) => isMeasured(standing, agent, stages));
  const draws = parents.map((agent) => weightedDraw(agent, rng));
  const parent = largestDraw(draws)?.agentId;
  if (parent === undefined) return settled({ kind: 'wait' });
  return { action: propose(parent, selfImprovement ? parent : seedAgent(standing).id), draws };
}

/**
 * A draw such that the largest one falls to each agent in proportion to its weight: log(u) / weight (Efraimidis, Spirakis,
 * Weighted random sampling with a reservoir, 2006). Proposals under way count as children, for the slots beside this one.
 */
function weightedDraw(agent: AgentStanding, rng: Rng): Draw {
  const score = meanScore(agent);
  const children = agent.children + agent.proposing;
  const weight = 1 / (1 + Math.exp(-10 * (score - 0.5))) / (1 + children);
  return {
    agentId: agent.id,
    evidence: { n: agent.n, s: agent.s, children, weight },
    value: Math.log(1 - rng()) / weight,
  };
}
