import type { Archive } from '#archive/archive.ts';
import type { AgentId, Run, RunId } from '#archive/schema.ts';
import { createPolicy } from './policies/policies.ts';
import { applyEvent, emptyStanding, type RunStanding } from './standing.ts';

const PAGE = 1_000;

/** The agent that a run's policy puts first, from its events alone; null before the seed agent has joined. */
export function championOf(archive: Pick<Archive, 'events'>, run: Run): AgentId | null {
  const standing = emptyStanding();
  foldEvents(archive, run.id, standing, 0);
  return standing.agents.length === 0 ? null : createPolicy(run.spec.policy).champion(standing);
}

/** Brings a standing that has the run's events up to `seq` up to the last one. @returns the last one's `seq`. */
export function foldEvents(
  { events }: Pick<Archive, 'events'>,
  runId: RunId,
  standing: RunStanding,
  seq: number,
): number {
  for (let last = seq; ; ) {
    const page = events.after({ runId, seq: last, limit: PAGE });
    for (const event of page) applyEvent(standing, event);
    last = page.at(-1)?.seq ?? last;
    if (page.length < PAGE) return last;
  }
}
