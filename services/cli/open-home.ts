import { type Archive, openArchive } from '#archive/archive.ts';
import type { Agent, Proposal, Run, Trial } from '#archive/schema.ts';
import { findAgent, findProposal, findRun, findTrial } from '#services/api/find.ts';
import { CladeError, listed } from '#services/errors.ts';

/** Opens a data directory to read, also while a service works in it. @throws the archive's errors. */
export function openHome(home: string): Promise<Archive> {
  return openArchive(home, { readOnly: true });
}

/**
 * The run that an argument names: an id, `latest`, or nothing when there is just one.
 * @throws CladeError `not-found`; `invalid-request` when nothing was named and there are several.
 */
export function pickRun(archive: Archive, name: string | undefined): Run {
  if (name !== undefined && name !== 'latest') return findRun(archive, name);
  const runs = archive.runs.list();
  const [newest] = runs;
  if (newest === undefined)
    throw new CladeError('not-found', `There is no run in ${archive.home} yet. "clade run" begins one.`);
  if (name === 'latest' || runs.length === 1) return newest;
  throw new CladeError(
    'invalid-request',
    `There are ${runs.length} runs: name one, or say "latest". Newest: ${listed(runs.slice(0, 5).map((run) => run.id))}.`,
  );
}

export type Found =
  | { kind: 'run'; run: Run }
  | { kind: 'agent'; agent: Agent }
  | { kind: 'proposal'; proposal: Proposal }
  | { kind: 'trial'; trial: Trial };

/** What an id names; `a7`, `p3` and `t12` are those of the newest run. @throws CladeError `not-found`. */
export function findAny(archive: Archive, name: string): Found {
  const id = /^[apt]\d+$/.test(name) ? `${pickRun(archive, 'latest').id}-${name}` : name;
  const kind = /-([apt])\d+$/.exec(id)?.[1];
  if (kind === 'a') return { kind: 'agent', agent: findAgent(archive, id) };
  if (kind === 'p') return { kind: 'proposal', proposal: findProposal(archive, id) };
  if (kind === 't') return { kind: 'trial', trial: findTrial(archive, id) };
  return { kind: 'run', run: pickRun(archive, id) };
}

/** @throws CladeError `not-found`; `invalid-request` when the id names something else. */
export function pickAgent(archive: Archive, name: string): Agent {
  const found = findAny(archive, name);
  if (found.kind === 'agent') return found.agent;
  throw new CladeError(
    'invalid-request',
    `${JSON.stringify(name)} names the ${found.kind} of that id, and this needs an agent such as a1 or rk7m2pq-a1.`,
  );
}
