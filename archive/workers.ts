import type { Database } from './database.ts';
import type { StoredWorker } from './schema.ts';

/** The workers that control knows, by name: what must outlive control itself. */
export class Workers {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  get(name: string): StoredWorker | null {
    const row = this.#db.get<WorkerRow>('SELECT * FROM workers WHERE name = ?', name);
    return row ? toWorker(row) : null;
  }

  /** All of them, by name. */
  list(): StoredWorker[] {
    return this.#db.all<WorkerRow>('SELECT * FROM workers ORDER BY name').map(toWorker);
  }

  /** Stores what a worker says of itself. What is desired of it stays, and is `active` for one that was not known. */
  put({ name, instance, description }: Pick<StoredWorker, 'name' | 'instance' | 'description'>, nowMs: number): void {
    this.#db.write(() =>
      this.#db.run(
        `INSERT INTO workers (name, instance, description, desired, first_seen, last_seen) VALUES (?, ?, ?, 'active', ?, ?)
         ON CONFLICT (name) DO UPDATE SET instance = excluded.instance, description = excluded.description,
           last_seen = excluded.last_seen`,
        ...[name, instance, JSON.stringify(description), nowMs, nowMs],
      ),
    );
  }

  /** False: there is none of that name. */
  setDesired(name: string, desired: StoredWorker['desired']): boolean {
    return this.#db.write(
      () => this.#db.run('UPDATE workers SET desired = ? WHERE name = ?', desired, name).changes === 1,
    );
  }

  seen(name: string, nowMs: number): void {
    this.#db.write(() => this.#db.run('UPDATE workers SET last_seen = ? WHERE name = ?', nowMs, name));
  }

  /** It ended by its own will: nobody has the name now, and what is desired of it stays. */
  left(name: string, nowMs: number): void {
    this.#db.write(() => this.#db.run(`UPDATE workers SET instance = '', last_seen = ? WHERE name = ?`, nowMs, name));
  }

  forget(name: string): void {
    this.#db.write(() => this.#db.run('DELETE FROM workers WHERE name = ?', name));
  }
}

interface WorkerRow {
  name: string;
  instance: string;
  description: string;
  desired: StoredWorker['desired'];
  first_seen: number;
  last_seen: number;
}

function toWorker(row: WorkerRow): StoredWorker {
  const { name, instance, desired } = row;
  const description: unknown = JSON.parse(row.description);
  return { name, instance, description, desired, firstSeenMs: row.first_seen, lastSeenMs: row.last_seen };
}
