import type { Draw, PolicySpec } from '#archive/schema.ts';
import { bestAgent, largestDraw, meanScore, propose, settled } from './choosing.ts';
import { isMeasured, nextMeasurement, type Stages } from './measuring.ts';
import type { Choice, Policy, Rng, Standing } from './policy.ts';

type Options = Extract<PolicySpec, { kind: 'uniform' }>;

/**
 * Breeds from any measured agent, each as likely as the others: what evolution does without selection. Every agent is
 * measured on the suite's first `trialsPerAgent` tasks. Champion: the best mean.
 */
export function createUniform({ trialsPerAgent }: Options): Policy {
  const stages: Stages = { sizes: [trialsPerAgent], threshold: 0 };
  const measured = (standing: Standing) => standing.agents.filter((agent) => isMeasured(standing, agent, stages));
  return {
    next: (standing, _left, rng) => {
      const measurement = nextMeasurement(standing, stages);
      return measurement ? settled(measurement) : breed(measured(standing), rng);
    },
    champion: (standing) => bestAgent(standing, measured(standing), meanScore),
  };
}

function breed(measured: Standing['agents'], rng: Rng): Choice {
  const draws = measured.map((agent): Draw => {
    return { agentId: agent.id, evidence: { n: agent.n, s: agent.s }, value: rng() };
  });
  const parent = largestDraw(draws);
  return parent ? { action: propose(parent.agentId), draws } : settled({ kind: 'wait' });
}
