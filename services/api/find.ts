import type { Archive } from '#archive/archive.ts';
import {
  type Agent,
  AgentId,
  type Proposal,
  ProposalId,
  type Run,
  RunId,
  type Trial,
  TrialId,
} from '#archive/schema.ts';
import { CladeError, listed } from '#services/errors.ts';

/** @throws CladeError `not-found`, with the newest runs there are. */
export function findRun(archive: Archive, id: string): Run {
  const parsed = RunId.safeParse(id);
  const run = parsed.success ? archive.runs.get(parsed.data) : null;
  if (run !== null) return run;
  const known = archive.runs.list().slice(0, 5);
  throw missing('run', id, `Newest runs: ${listed(known.map((one) => one.id))}.`);
}

/** @throws CladeError `not-found`. */
export function findAgent(archive: Archive, id: string): Agent {
  const parsed = AgentId.safeParse(id);
  const agent = parsed.success ? archive.agents.get(parsed.data) : null;
  return agent ?? fail('agent', id, 'Agent ids look like rk7m2pq-a1; the lineage of a run lists them.');
}

/** @throws CladeError `not-found`. */
export function findTrial(archive: Archive, id: string): Trial {
  const parsed = TrialId.safeParse(id);
  const trial = parsed.success ? archive.trials.get(parsed.data) : null;
  return trial ?? fail('trial', id, 'Trial ids look like rk7m2pq-t1; an agent lists its trials.');
}

/** @throws CladeError `not-found`. */
export function findProposal(archive: Archive, id: string): Proposal {
  const parsed = ProposalId.safeParse(id);
  const proposal = parsed.success ? archive.proposals.get(parsed.data) : null;
  return proposal ?? fail('proposal', id, 'Proposal ids look like rk7m2pq-p1; a run lists its proposals.');
}

/**
 * The agent that another one is compared with: `parent`, `seed`, or an agent id of any run.
 * @throws CladeError `not-found`; `invalid-request` for the parent of a seed agent.
 */
export function findReference(archive: Archive, agent: Agent, against: string): Agent {
  if (against === 'seed') return findAgent(archive, `${agent.runId}-a1`);
  if (against !== 'parent') return findAgent(archive, against);
  if (agent.parentId !== null) return findAgent(archive, agent.parentId);
  throw new CladeError('invalid-request', `Agent ${agent.id} is the seed agent and has no parent to compare with.`);
}

function fail(noun: string, id: string, hint: string): never {
  throw missing(noun, id, hint);
}

function missing(noun: string, id: string, hint: string): CladeError {
  return new CladeError('not-found', `There is no ${noun} ${JSON.stringify(id.slice(0, 80))} here. ${hint}`);
}
