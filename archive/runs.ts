import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';
import { NotFound } from './errors.ts';
import type { Events } from './events.ts';
import type { AgentId, EventData, Run, RunId, RunSpec, RunState } from './schema.ts';

/** What a client knows a run by that it began, so that asking again begins no other: digests of its key and of its spec. */
export interface RunKey {
  keyDigest: string;
  specDigest: string;
}

/** An agent that a run starts with: the seed agent, or one adopted from another run. */
export interface RootAgent {
  commit: string;
  tree: string;
  summary: string;
  origin?: { id: AgentId; generation: number };
}

/** What the jobs of a run need, by name of resource class; `cpu` for what is not named. */
export interface RunResources {
  /** Of trials, by task. */
  tasks?: Record<string, string>;
  proposals?: string;
}

/** What a run starts from. `prices` is kept as it is, so that a run's costs never change under it. */
export interface RunStart {
  spec: RunSpec;
  suiteDigest: string;
  /** Ids of the tasks that the run decides about, in order; policies speak of them by index. */
  tasks: string[];
  /** Ids of those that it never meets; default none. */
  heldOut?: string[];
  resources?: RunResources;
  prices: unknown;
  /** The seed agent; of a measuring run the agents to be measured, each with a source of its own. */
  roots: RootAgent[];
  key?: RunKey;
  nowMs: number;
}

export type RunTasks = Pick<EventData & { kind: 'run-created' }, 'tasks' | 'heldOut'>;

export class Runs {
  readonly #db: Database;
  readonly #events: Events;

  constructor(db: Database, events: Events) {
    this.#db = db;
    this.#events = events;
  }

  /** Stores a run in state `running`, its key, and its first agents. Throws when another run has the key. */
  create({ spec, suiteDigest, tasks, heldOut = [], resources = {}, prices, roots, key, nowMs }: RunStart): Run {
    const id = newRunId();
    this.#db.write(() => {
      this.#db.run(
        `INSERT INTO runs (id, spec, prices, suite_digest, resources, state, created_at, budget_uusd, agents)
         VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?)`,
        ...[id, JSON.stringify(spec), JSON.stringify(prices ?? null), suiteDigest, JSON.stringify(resources), nowMs],
        ...[budgetUusd(spec), roots.length],
      );
      if (key !== undefined) this.#insertKey(id, key);
      this.#events.append(id, { kind: 'run-created', tasks, heldOut }, nowMs);
      this.#events.append(id, { kind: 'run-state', state: 'running', reason: null }, nowMs);
      for (const [index, root] of roots.entries()) this.#insertRoot(id, index + 1, root, nowMs);
    });
    return this.#existing(id);
  }

  get(id: RunId): Run | null {
    const row = this.#db.get<RunRow>('SELECT * FROM runs WHERE id = ?', id);
    return row ? toRun(row) : null;
  }

  /** The run that was begun under a key, and the digest of the spec it was asked for with. */
  begunBy(keyDigest: string): { run: Run; specDigest: string } | null {
    const sql = 'SELECT runs.*, spec_digest FROM run_keys JOIN runs ON runs.id = run_id WHERE key_digest = ?';
    const row = this.#db.get<RunRow & { spec_digest: string }>(sql, keyDigest);
    return row ? { run: toRun(row), specDigest: row.spec_digest } : null;
  }

  /** All runs, newest first. */
  list(): Run[] {
    return this.#db.all<RunRow>('SELECT * FROM runs ORDER BY created_at DESC, rowid DESC').map(toRun);
  }

  /** The tasks that the run decides about, and those that it never meets. */
  tasks(id: RunId): RunTasks {
    const sql = 'SELECT data FROM events WHERE run_id = ? ORDER BY seq LIMIT 1';
    const row = this.#db.get<{ data: string }>(sql, id);
    if (!row) throw unknownRun(id);
    // `create` appends a run's first event.
    const { tasks, heldOut }: EventData & { kind: 'run-created' } = JSON.parse(row.data);
    return { tasks, heldOut };
  }

  /** What its jobs need, as it was when the run was created. */
  resources(id: RunId): RunResources {
    const row = this.#db.get<{ resources: string }>('SELECT resources FROM runs WHERE id = ?', id);
    if (!row) throw unknownRun(id);
    // Written by `create` alone, from its type.
    return JSON.parse(row.resources);
  }

  /** Every resource class but `cpu` that a run which hands out jobs needs. */
  classesNeeded(): Set<string> {
    const sql = `SELECT resources FROM runs WHERE state IN ('running', 'closing') AND resources <> '{}'`;
    const needs = this.#db.all<{ resources: string }>(sql).map(({ resources }): RunResources => JSON.parse(resources));
    return new Set(needs.flatMap(({ tasks = {}, proposals = [] }) => [...Object.values(tasks), proposals].flat()));
  }

  /** The price table the run was created with. */
  prices(id: RunId): unknown {
    const row = this.#db.get<{ prices: string }>('SELECT prices FROM runs WHERE id = ?', id);
    if (!row) throw unknownRun(id);
    return JSON.parse(row.prices);
  }

  /** Moves the run to `state`. The times of ending states are kept as the run's end; a run that goes on has none. */
  setState(id: RunId, state: RunState, reason: string | null, nowMs: number): void {
    this.#db.write(() => {
      const endedAt = isEnd(state) ? nowMs : null;
      const sql = 'UPDATE runs SET state = ?, reason = ?, ended_at = ? WHERE id = ?';
      if (this.#db.run(sql, state, reason, endedAt, id).changes === 0) throw unknownRun(id);
      this.#events.append(id, { kind: 'run-state', state, reason }, nowMs);
    });
  }

  #insertKey(runId: RunId, { keyDigest, specDigest }: RunKey): void {
    const sql = 'INSERT INTO run_keys (key_digest, spec_digest, run_id) VALUES (?, ?, ?)';
    this.#db.run(sql, keyDigest, specDigest, runId);
  }

  #insertRoot(runId: RunId, ordinal: number, { commit, tree, summary, origin }: RootAgent, nowMs: number): void {
    const id: AgentId = `${runId}-a${ordinal}`;
    this.#db.run(
      `INSERT INTO agents (id, run_id, ordinal, origin_id, commit_id, tree_id, generation, summary, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, runId, ordinal, origin?.id ?? null, commit, tree, origin?.generation ?? 0, summary, nowMs],
    );
    const joined = { agent: id, parent: null, proposal: null, commit, summary };
    this.#events.append(runId, { kind: 'agent-joined', ...joined }, nowMs);
  }

  #existing(id: RunId): Run {
    const run = this.get(id);
    if (!run) throw unknownRun(id);
    return run;
  }
}

const idLetters = '0123456789abcdefghjkmnpqrstvwxyz';

function newRunId(): RunId {
  return `r${Array.from(randomBytes(6), (byte) => idLetters[byte % idLetters.length]).join('')}`;
}

function budgetUusd(spec: RunSpec): number | null {
  return spec.budget.usd === null ? null : Math.floor(spec.budget.usd * 1e6);
}

function isEnd(state: RunState): boolean {
  return state === 'stopped' || state === 'finished' || state === 'failed';
}

function unknownRun(id: string): NotFound {
  return new NotFound(`There is no run ${id} in this archive: \`clade status\` lists the runs.`);
}

interface RunRow {
  id: RunId;
  spec: string;
  suite_digest: string;
  state: RunState;
  reason: string | null;
  created_at: number;
  ended_at: number | null;
  spent_uusd: number;
  reserved_uusd: number;
  agents: number;
  proposals: number;
  trials: number;
  trials_settled: number;
}

function toRun(row: RunRow): Run {
  return {
    id: row.id,
    // Written by `create` alone, from a parsed spec.
    spec: JSON.parse(row.spec),
    state: row.state,
    reason: row.reason,
    suiteDigest: row.suite_digest,
    createdAt: row.created_at,
    endedAt: row.ended_at,
    spentUusd: row.spent_uusd,
    reservedUusd: row.reserved_uusd,
    counts: { agents: row.agents, proposals: row.proposals, trials: row.trials, trialsSettled: row.trials_settled },
  };
}
