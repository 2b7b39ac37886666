import type { Archive } from '#archive/archive.ts';
import type { AgentId, Run, RunId, RunSpec } from '#archive/schema.ts';
import { type BudgetUse, budgetUses } from './budget.ts';
import { createPolicy } from './policies/policies.ts';
import { applyEvent, emptyStanding, type RunStanding } from './standing.ts';

const PAGE = 1_000;

/** What a run's events add up to: the same figures that its decisions rest on. */
export interface RunFigures {
  /** The agent that the run's policy puts first; null before the seed agent has joined. */
  champion: AgentId | null;
  /** How far each limit that was given is used. */
  uses: BudgetUse[];
}

export function figuresOf(standing: RunStanding, spec: RunSpec, nowMs: number): RunFigures {
  const champion = standing.agents.length === 0 ? null : createPolicy(spec.policy).champion(standing);
  return { champion, uses: budgetUses(spec.budget, standing, nowMs) };
}

/**
 * The figures of a run from its events alone, which takes time in the order of their number. A failed run has none when its
 * events are what it failed of.
 */
export function readFigures(archive: Pick<Archive, 'events'>, { id, spec, state }: Run, nowMs: number): RunFigures {
  const standing = emptyStanding();
  try {
    foldEvents(archive, id, standing, 0);
    return figuresOf(standing, spec, nowMs);
  } catch (error) {
    if (state !== 'failed') throw error;
    return { champion: null, uses: [] };
  }
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
