import type { Database } from './database.ts';
import type { CallRole, CallState, Job, RunId, RunState } from './schema.ts';

/** How far a run is. Money in micro-dollars; `budgetUusd` null: without limit. */
export interface RunFigure {
  id: RunId;
  state: RunState;
  agents: number;
  trialsSettled: number;
  spentUusd: number;
  reservedUusd: number;
  budgetUusd: number | null;
}

/** So many jobs that are alike. `worker` is set for leased ones. */
export interface JobFigure {
  state: Extract<Job['state'], 'ready' | 'leased'>;
  resourceClass: string;
  worker: string | null;
  jobs: number;
}

/** Spend of all runs by role and model, as `Spend` is for one. */
export interface SpendFigure {
  role: CallRole;
  model: string;
  spentUusd: number;
  ambiguousUusd: number;
  inputTokens: number;
  outputTokens: number;
}

export interface CallFigure {
  id: number;
  model: string;
  state: CallState;
  replayed: boolean;
  latencyMs: number | null;
}

/** Sums over all runs, to be asked for every few seconds: none takes longer for what is over, however much that is. */
export class Figures {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  runs(): RunFigure[] {
    return this.#db.all<RunFigure>(
      `SELECT id, state, agents, trials_settled AS trialsSettled, spent_uusd AS spentUusd, reserved_uusd AS reservedUusd,
         budget_uusd AS budgetUusd FROM runs`,
    );
  }

  openJobs(): JobFigure[] {
    return this.#db.all<JobFigure>(
      `SELECT state, resource_class AS resourceClass, worker, count(*) AS jobs FROM jobs INDEXED BY jobs_open
       WHERE state IN ('ready', 'leased') GROUP BY state, resource_class, worker`,
    );
  }

  spend(): SpendFigure[] {
    return this.#db.all<SpendFigure>(
      `SELECT role, model, sum(spent_uusd) AS spentUusd, sum(ambiguous_uusd) AS ambiguousUusd,
         sum(input_tokens) AS inputTokens, sum(output_tokens) AS outputTokens FROM spend GROUP BY role, model`,
    );
  }

  /** The model calls after `id` and those with the ids `and`, oldest first, at most `limit` of the former. */
  calls({ after, and, limit }: { after: number; and: readonly number[]; limit: number }): CallFigure[] {
    const columns = 'id, model, state, replayed, latency_ms AS latencyMs';
    const rows = this.#db.all<Omit<CallFigure, 'replayed'> & { replayed: number }>(
      `SELECT ${columns} FROM calls WHERE id IN (SELECT value FROM json_each(?))
       UNION ALL SELECT * FROM (SELECT ${columns} FROM calls WHERE id > ? ORDER BY id LIMIT ?)`,
      ...[JSON.stringify(and), after, limit],
    );
    return rows.map((row) => ({ ...row, replayed: row.replayed === 1 }));
  }

  /** The newest of each; 0 where there is none. */
  newest(): { callId: number; seq: number } {
    const sql = `SELECT coalesce((SELECT max(id) FROM calls), 0) AS callId, coalesce((SELECT max(seq) FROM events), 0) AS seq`;
    return this.#db.get<{ callId: number; seq: number }>(sql)!;
  }
}
