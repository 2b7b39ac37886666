import type { Archive } from '#archive/archive.ts';
import { NotFound } from '#archive/errors.ts';
import { cladeSums } from '#archive/lineage.ts';
import type { Agent, Decision, Event, Run, RunId } from '#archive/schema.ts';
import { type Decided, decide } from './decide.ts';
import { createPolicy } from './policies/policies.ts';
import { applyEvent, emptyStanding, type RunStanding } from './standing.ts';

/** The first decision that did not come out again as it was journaled. */
export interface Difference {
  ordinal: number;
  recorded: unknown;
  recomputed: unknown;
  why: string;
}

export interface Replay {
  /** Decisions recomputed. */
  decisions: number;
  firstDifference: Difference | null;
}

type Source = Pick<Archive, 'runs' | 'agents' | 'decisions' | 'events' | 'snapshot'>;

/** Decisions held at a time. */
const PAGE = 1_000;

/**
 * Recomputes every decision of a run from its events and compares it with the journal: the action, and the evidence and draw of
 * every candidate. In the end the folded evidence must equal that of the archive's agents, and their clades' the sums of it.
 * The run may go on meanwhile: what counts is how far it had come at the beginning.
 *
 * @throws NotFound
 */
export function replay(archive: Source, runId: RunId): Replay {
  const { run, agents, head } = archive.snapshot(() => stateOf(archive, runId));
  const fold = new EventFold(archive, runId);
  let decisions = 0;
  for (const recorded of journal(archive, runId, head.ordinal)) {
    const firstDifference = missing(decisions, recorded.ordinal - 1) ?? recompute(run, recorded, fold);
    decisions += 1;
    if (firstDifference) return { decisions, firstDifference };
  }
  fold.advance(head.seq);
  const { standing } = fold;
  // The last finish begins nothing, so the events do not tell of it.
  const told = Math.max(standing.decisions, Math.min(decisions, standing.decisions + 1));
  const firstDifference = missing(decisions, told) ?? compareEvidence(agents, standing, decisions);
  return { decisions, firstDifference };
}

function stateOf({ runs, agents, decisions }: Source, runId: RunId) {
  const run = runs.get(runId);
  if (run === null) throw new NotFound(`There is no run ${runId} in this archive: \`clade status\` lists the runs.`);
  return { run, agents: agents.lineage(runId), head: decisions.head(runId) };
}

/** The run's decisions in order, up to `last`. */
function* journal({ decisions }: Source, runId: RunId, last: number): Generator<Decision> {
  for (let afterOrdinal = 0; afterOrdinal < last; ) {
    const page = decisions.list(runId, { afterOrdinal, limit: PAGE });
    yield* page.filter(({ ordinal }) => ordinal <= last);
    afterOrdinal = page.at(-1)?.ordinal ?? last;
  }
}

/** The journal has no gaps: `journaled` decisions before this point, and as many were made. */
function missing(journaled: number, made: number): Difference | null {
  if (journaled === made) return null;
  return { ordinal: journaled + 1, recorded: journaled, recomputed: made, why: explained.ordinal };
}

function recompute(run: Run, recorded: Decision, fold: EventFold): Difference | null {
  fold.advance(recorded.asOfSeq);
  const { nowMs, asOfSeq } = recorded;
  const policy = createPolicy(run.spec.policy);
  const again = decide({ runId: run.id, policy, standing: fold.standing, spec: run.spec, nowMs, asOfSeq });
  return compare(recorded, again);
}

function compare(recorded: Decision, again: Decided): Difference | null {
  const parts = ['ordinal', 'action', 'candidates', 'digest', 'top'] as const;
  for (const part of parts) {
    if (same(recorded[part], again[part])) continue;
    return { ordinal: recorded.ordinal, recorded: recorded[part], recomputed: again[part], why: explained[part] };
  }
  return null;
}

const explained = {
  ordinal: 'The journal does not count on: decisions are missing, or were made that are not in it.',
  action: 'From the same events the policy chooses something else.',
  candidates: 'The policy had another number of candidates.',
  digest: 'A candidate had other evidence, or drew another number.',
  top: 'The journaled draws are not those that were made.',
};

function compareEvidence(agents: readonly Agent[], standing: RunStanding, decisions: number): Difference | null {
  const folded = standing.agents.map(evidence);
  const stored = agents.map(evidence);
  const clades = cladeSums(agents);
  const summed = stored.map((agent) => ({
    ...agent,
    cladeN: clades.get(agent.id)?.n,
    cladeS: clades.get(agent.id)?.s,
  }));
  const why = 'An agent holds other evidence than its trials add up to.';
  for (let i = 0; i < Math.max(folded.length, stored.length); i += 1) {
    const wrong = [folded[i], summed[i]].find((recomputed) => !same(stored[i], recomputed));
    if (wrong || stored.length !== folded.length) {
      return { ordinal: decisions, recorded: stored[i] ?? null, recomputed: wrong ?? null, why };
    }
  }
  return null;
}

function evidence({ id, n, s, cladeN, cladeS, children }: Evidence): Evidence {
  return { id, n, s, cladeN, cladeS, children };
}

type Evidence = Pick<Agent, 'id' | 'n' | 's' | 'cladeN' | 'cladeS' | 'children'>;

/** Key by key; sums of fractional scores may differ by the order in which SQLite and we have added them, so by 1e-9. */
function same(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number') return a === b || Math.abs(a - b) <= 1e-9;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))];
  return left.length === right.size && left.every(([key, value]) => right.has(key) && same(value, right.get(key)));
}

/** Reads a run's events page by page and folds them up to where it is asked to. */
class EventFold {
  readonly standing = emptyStanding();
  readonly #archive: Source;
  readonly #runId: RunId;
  #seq = 0;
  #page: Event[] = [];
  #at = 0;

  constructor(archive: Source, runId: RunId) {
    this.#archive = archive;
    this.#runId = runId;
  }

  advance(upToSeq: number): void {
    for (let event = this.#peek(); event && event.seq <= upToSeq; event = this.#peek()) {
      applyEvent(this.standing, event);
      this.#seq = event.seq;
      this.#at += 1;
    }
  }

  #peek(): Event | undefined {
    if (this.#at === this.#page.length) {
      this.#page = this.#archive.events.after({ runId: this.#runId, seq: this.#seq });
      this.#at = 0;
    }
    return this.#page[this.#at];
  }
}
