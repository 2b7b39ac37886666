import type { Database } from './database.ts';
import type { Events } from './events.ts';
import type { Jobs } from './jobs.ts';
import type { Action, Decision, Draw, Evidence, JobId, ProposalId, RunId, RunState, TrialId } from './schema.ts';

/** What goes with a decision: the evidence a proposal starts from, what its job may cost and needs, the state a finish leads to. */
export interface DecisionOptions {
  evidence?: Evidence;
  /** Micro-dollars; null: no limit of its own. */
  jobBudgetUusd: number | null;
  /** What a worker must have to do the job; `cpu` when not given. */
  resourceClass?: string;
  /** For `finish` only; `finished` when not given. */
  state?: RunState;
}

/** The journal of decisions, and how a decision becomes work. */
export class Decisions {
  readonly #db: Database;
  readonly #events: Events;
  readonly #jobs: Jobs;

  constructor(db: Database, events: Events, jobs: Jobs) {
    this.#db = db;
    this.#events = events;
    this.#jobs = jobs;
  }

  /** Journals the decision and begins what it decided, in one transaction. Returns the job begun, if any. */
  record(decision: Decision, options: DecisionOptions): JobId | null {
    return this.#db.write(() => {
      this.#journal(decision);
      return this.#begin(decision.runId, decision.action, options, decision.nowMs);
    });
  }

  /** The run's decisions in order; page on with the last one's ordinal. */
  list(runId: RunId, { afterOrdinal = 0, limit = -1 }: { afterOrdinal?: number; limit?: number } = {}): Decision[] {
    const sql = 'SELECT * FROM decisions WHERE run_id = ? AND ordinal > ? ORDER BY ordinal LIMIT ?';
    return this.#db.all<DecisionRow>(sql, runId, afterOrdinal, limit).map(toDecision);
  }

  /** How far the run has come: the `ordinal` of its last decision and the `seq` of its last event; 0 where there is none. */
  head(runId: RunId): { ordinal: number; seq: number } {
    const sql = `SELECT coalesce((SELECT max(ordinal) FROM decisions WHERE run_id = ?), 0) AS ordinal,
                   coalesce((SELECT max(seq) FROM events WHERE run_id = ?), 0) AS seq`;
    return this.#db.get<{ ordinal: number; seq: number }>(sql, runId, runId) ?? { ordinal: 0, seq: 0 };
  }

  #journal(decision: Decision): void {
    const sql = 'UPDATE runs SET decisions = decisions + 1 WHERE id = ? RETURNING decisions';
    const counted = this.#db.get<{ decisions: number }>(sql, decision.runId);
    if (counted?.decisions !== decision.ordinal) {
      throw new Error(
        `Decision ${decision.ordinal} of ${decision.runId} is out of order: ${counted?.decisions ?? 'no run'} is next.`,
      );
    }
    this.#db.run(
      `INSERT INTO decisions (run_id, ordinal, as_of_seq, now_ms, action, candidates, top, digest, duration_us)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[decision.runId, decision.ordinal, decision.asOfSeq, decision.nowMs, JSON.stringify(decision.action)],
      ...[decision.candidates, JSON.stringify(decision.top), decision.digest, decision.durationUs],
    );
  }

  #begin(runId: RunId, action: Action, options: DecisionOptions, nowMs: number): JobId | null {
    switch (action.kind) {
      case 'propose':
        return this.#beginProposal(runId, action, options, nowMs);
      case 'evaluate':
        return this.#beginTrial(runId, action, options, nowMs);
      case 'wait':
        return null;
      case 'finish':
        return this.#finish(runId, options.state ?? 'finished', action.reason, nowMs);
    }
  }

  #beginProposal(
    runId: RunId,
    action: Action & { kind: 'propose' },
    options: DecisionOptions,
    nowMs: number,
  ): ProposalId {
    const ordinal = this.#next(runId, 'proposals');
    const id: ProposalId = `${runId}-p${ordinal}`;
    const evidence = options.evidence ?? { kind: 'none', trialIds: [] };
    this.#jobs.add(id, runId, options);
    this.#db.run(
      `INSERT INTO proposals (id, run_id, ordinal, parent_id, editor_id, evidence, begun_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[id, runId, ordinal, action.parent, action.editor, JSON.stringify(evidence), nowMs],
    );
    this.#events.append(runId, { kind: 'proposal-begun', proposal: id, parent: action.parent }, nowMs);
    return id;
  }

  #beginTrial(runId: RunId, action: Action & { kind: 'evaluate' }, options: DecisionOptions, nowMs: number): TrialId {
    const ordinal = this.#next(runId, 'trials');
    const id: TrialId = `${runId}-t${ordinal}`;
    this.#jobs.add(id, runId, options);
    this.#db.run(
      `INSERT INTO trials (id, run_id, ordinal, agent_id, task, attempt, begun_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[id, runId, ordinal, action.agent, action.task, action.attempt, nowMs],
    );
    const begun = { trial: id, agent: action.agent, task: action.task, attempt: action.attempt };
    this.#events.append(runId, { kind: 'trial-begun', ...begun }, nowMs);
    return id;
  }

  #finish(runId: RunId, state: RunState, reason: string, nowMs: number): null {
    const endedAt = state === 'finished' || state === 'stopped' || state === 'failed' ? nowMs : null;
    this.#db.run('UPDATE runs SET state = ?, reason = ?, ended_at = ? WHERE id = ?', state, reason, endedAt, runId);
    this.#events.append(runId, { kind: 'run-state', state, reason }, nowMs);
    return null;
  }

  #next(runId: RunId, counter: 'proposals' | 'trials'): number {
    const sql = `UPDATE runs SET ${counter} = ${counter} + 1 WHERE id = ? RETURNING ${counter} AS ordinal`;
    const row = this.#db.get<{ ordinal: number }>(sql, runId);
    if (!row) throw new Error(`There is no run ${runId}.`);
    return row.ordinal;
  }
}

interface DecisionRow {
  run_id: RunId;
  ordinal: number;
  as_of_seq: number;
  now_ms: number;
  action: string;
  candidates: number;
  top: string;
  digest: string;
  duration_us: number;
}

function toDecision(row: DecisionRow): Decision {
  // Both JSON columns were written by `record` from their types.
  const action: Action = JSON.parse(row.action);
  const top: Draw[] = JSON.parse(row.top);
  return {
    runId: row.run_id,
    ordinal: row.ordinal,
    asOfSeq: row.as_of_seq,
    nowMs: row.now_ms,
    action,
    candidates: row.candidates,
    top,
    digest: row.digest,
    durationUs: row.duration_us,
  };
}
