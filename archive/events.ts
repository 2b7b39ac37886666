import type { Database } from './database.ts';
import type { Event, EventData, RunId } from './schema.ts';

/** Everything that happened, numbered by `seq` over all runs. */
export class Events {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Events after `seq`, oldest first, at most `limit` (10,000 when not given): page on with the last one's `seq`. */
  after({ runId, seq, limit = 10_000 }: { runId?: RunId; seq: number; limit?: number }): Event[] {
    const rows =
      runId === undefined
        ? this.#db.all<EventRow>('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?', seq, limit)
        : this.#db.all<EventRow>(
            'SELECT * FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?',
            runId,
            seq,
            limit,
          );
    return rows.map(toEvent);
  }

  /** When something last happened to the run, in milliseconds since the epoch; null when nothing ever did. */
  lastMs(runId: RunId): number | null {
    const sql = 'SELECT at FROM events WHERE run_id = ? ORDER BY seq DESC LIMIT 1';
    return this.#db.get<{ at: number }>(sql, runId)?.at ?? null;
  }

  /** Something worth telling that changes nothing. `code` is stable, `message` is for people. */
  notice(runId: RunId, level: 'info' | 'warning' | 'error', code: string, message: string, nowMs: number): void {
    this.#db.write(() => this.append(runId, { kind: 'notice', level, code, message }, nowMs));
  }

  /** Nobody worked on the run meanwhile: the service was not there. */
  serviceAway(runId: RunId, { fromMs, untilMs }: { fromMs: number; untilMs: number }): void {
    this.#db.write(() => this.append(runId, { kind: 'service-away', fromMs, untilMs }, untilMs));
  }

  /** Calls `listener` after each stored transaction that appended events; returns how to stop that. */
  onAppend(listener: () => void): () => void {
    return this.#db.onAppend(listener);
  }

  /** Used by the archive's other parts inside the transaction whose effect the event tells; returns its `seq`. */
  append(runId: RunId, data: EventData, nowMs: number): number {
    this.#db.appended();
    const sql = 'INSERT INTO events (run_id, at, data) VALUES (?, ?, ?)';
    return this.#db.run(sql, runId, nowMs, JSON.stringify(data)).lastId;
  }
}

interface EventRow {
  seq: number;
  run_id: RunId;
  at: number;
  data: string;
}

function toEvent(row: EventRow): Event {
  // Written by `append` alone, which takes nothing but EventData.
  const data: EventData = JSON.parse(row.data);
  return { seq: row.seq, runId: row.run_id, at: row.at, data };
}
