import type { Draw, PolicySpec } from '#archive/schema.ts';
import { bestAgent, largestDraw, meanScore, propose, settled } from './choosing.ts';
import { isMeasured, nextMeasurement, type Stages } from './measuring.ts';
import type { Choice, Policy, Standing } from './policy.ts';

type Options = Extract<PolicySpec, { kind: 'greedy' }>;

/**
 * Always breeds from the best mean so far, like SICA (arXiv 2504.15228). Every agent is measured on the suite's first
 * `trialsPerAgent` tasks. Of equal means the earlier agent leads.
 */
export function createGreedy({ trialsPerAgent }: Options): Policy {
  const stages: Stages = { sizes: [trialsPerAgent], threshold: 0 };
  const measured = (standing: Standing) => standing.agents.filter((agent) => isMeasured(standing, agent, stages));
  return {
    next: (standing) => next(standing, stages, measured(standing)),
    champion: (standing) => bestAgent(standing, measured(standing), meanScore),
  };
}

function next(standing: Standing, stages: Stages, measured: Standing['agents']): Choice {
  const measurement = nextMeasurement(standing, stages);
  if (measurement) return settled(measurement);
  const draws = measured.map((agent): Draw => {
    return { agentId: agent.id, evidence: { n: agent.n, s: agent.s }, value: meanScore(agent) };
  });
  const best = largestDraw(draws);
  return best ? { action: propose(best.agentId), draws } : settled({ kind: 'wait' });
}
