import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { ArchiveUnwritable, ArchiveVersion, diskFullOr } from './errors.ts';

type Parameter = string | number | null;

/** A write that waits to be stored with others. `attempt` makes it and says how its promise ends once all are stored. */
interface Waiting {
  attempt(): () => void;
  reject(error: unknown): void;
}

/**
 * The door to SQLite. Opening checks that every setting took (write-ahead log, `synchronous=FULL`, foreign keys) and
 * brings the tables up to date. All writes go through `write`, so that whatever belongs together is stored together.
 *
 * @throws ArchiveVersion, ArchiveUnwritable, DiskFull
 */
export class Database {
  readonly #sqlite: Sqlite.Database;
  readonly #statements = new Map<string, Sqlite.Statement<Parameter[], unknown>>();
  readonly #immediate: (body: () => unknown) => unknown;
  readonly #deferred: (body: () => unknown) => unknown;
  readonly #listeners = new Set<() => void>();
  #waiting: Waiting[] = [];
  #appended = false;
  #reading = false;

  constructor(file: string, options: { readOnly: boolean }) {
    this.#sqlite = translated(file, () => open(file, options.readOnly));
    const transaction = this.#sqlite.transaction((body: () => unknown) => body());
    this.#immediate = transaction.immediate;
    this.#deferred = transaction.deferred;
  }

  /** The first row, which the caller's SQL gives the shape `Row`. */
  get<Row>(sql: string, ...parameters: Parameter[]): Row | undefined {
    // The shape is stated next to the SQL that makes it; STRICT tables hold the column types.
    return translated('', () => this.#prepared(sql).get(...parameters)) as Row | undefined;
  }

  all<Row>(sql: string, ...parameters: Parameter[]): Row[] {
    // As above.
    return translated('', () => this.#prepared(sql).all(...parameters)) as Row[];
  }

  /** Changes rows and says how many. Only inside `write`. */
  run(sql: string, ...parameters: Parameter[]): { changes: number; lastId: number } {
    if (!this.#sqlite.inTransaction) throw new Error(`A write outside of a transaction: ${sql}`);
    const { changes, lastInsertRowid } = translated('', () => this.#prepared(sql).run(...parameters));
    return { changes, lastId: Number(lastInsertRowid) };
  }

  /** Runs `body` as one IMMEDIATE transaction: all of it is stored when this returns, none of it when it throws. Nests. */
  write<T>(body: () => T): T {
    if (this.#reading) throw new Error('A write inside of a snapshot, which may only read.');
    if (this.#sqlite.inTransaction) return this.#immediate(body) as T; // The wrapper returns what its body returned.
    this.#appended = false;
    const result = translated('', () => this.#immediate(body)) as T; // As above.
    if (this.#appended) queueMicrotask(() => this.#notify());
    return result;
  }

  /**
   * Like `write`, in one transaction with all others that are asked for before the event loop turns: they share the sync to
   * disk. The promise resolves when that is done; a body that throws is undone alone and rejects its own promise.
   */
  writeShared<T>(body: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#waiting.length === 0) setImmediate(() => this.#writeWaiting());
    this.#waiting.push({ attempt: () => this.#attempt(body, resolve, reject), reject });
    return promise;
  }

  /** Runs `body` on the archive as it is now, whatever others write meanwhile. It may read only; keep it short. */
  snapshot<T>(body: () => T): T {
    if (this.#sqlite.inTransaction) return body();
    this.#reading = true;
    try {
      return translated('', () => this.#deferred(body)) as T; // As in `write`.
    } finally {
      this.#reading = false;
    }
  }

  /** Marks the transaction as one that listeners want to hear of. */
  appended(): void {
    this.#appended = true;
  }

  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pragma(name: string): unknown {
    return this.#sqlite.pragma(name, { simple: true });
  }

  close(): void {
    this.#listeners.clear();
    this.#statements.clear();
    this.#sqlite.close();
  }

  #writeWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const ends = this.write(() => waiting.map(({ attempt }) => attempt()));
      for (const end of ends) end();
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }

  #attempt<T>(body: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): () => void {
    try {
      const value = this.write(body);
      return () => resolve(value);
    } catch (error) {
      // A full disk may have made SQLite undo the whole transaction, and then nobody's write is in it any more.
      if (!this.#sqlite.inTransaction) throw error;
      return () => reject(error);
    }
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #prepared(sql: string): Sqlite.Statement<Parameter[], unknown> {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#sqlite.prepare<Parameter[], unknown>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

const migrationsFolder = join(import.meta.dirname, 'migrations');
const busyTimeoutMs = 5000;
/** Pages of 4 KiB in the log before they are moved into the database: settling a trial rarely waits for that. */
const checkpointPages = 4000;

function open(file: string, readOnly: boolean): Sqlite.Database {
  const sqlite = new Sqlite(file, { readonly: readOnly, fileMustExist: readOnly, timeout: busyTimeoutMs });
  try {
    refuseForeign(sqlite, file);
    settle(sqlite, readOnly);
    migrate(sqlite, file, readOnly);
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

/** Checked before anything is written: the file may belong to a newer Clade or to another program. */
function refuseForeign(sqlite: Sqlite.Database, file: string): void {
  const version = Number(sqlite.pragma('user_version', { simple: true }));
  const newest = migrations().at(-1)?.version ?? 0;
  if (version > newest) {
    throw new ArchiveVersion(
      `${file} was written by a newer Clade (archive version ${version}, this one knows up to ${newest}): ` +
        'use that version of Clade, or choose another data directory.',
    );
  }
  const tables = sqlite.prepare<[], { n: number }>('SELECT count(*) AS n FROM sqlite_schema').get()?.n ?? 0;
  if (version === 0 && tables > 0) throw notAnArchive(file);
}

function notAnArchive(file: string, cause?: unknown): ArchiveVersion {
  return new ArchiveVersion(`${file} is not a Clade archive: choose another data directory, or move the file away.`, {
    cause,
  });
}

/** better-sqlite3 opens a write-ahead-log database at synchronous=NORMAL, so every setting is made and read back. */
function settle(sqlite: Sqlite.Database, readOnly: boolean): void {
  if (readOnly) {
    expectPragma(sqlite, 'query_only', 1, 'query_only = ON');
    return;
  }
  expectPragma(sqlite, 'journal_mode', 'wal', 'journal_mode = WAL');
  expectPragma(sqlite, 'synchronous', 2, 'synchronous = FULL');
  expectPragma(sqlite, 'foreign_keys', 1, 'foreign_keys = ON');
  expectPragma(sqlite, 'wal_autocheckpoint', checkpointPages, `wal_autocheckpoint = ${checkpointPages}`);
  expectPragma(sqlite, 'busy_timeout', busyTimeoutMs, `busy_timeout = ${busyTimeoutMs}`);
}

function expectPragma(sqlite: Sqlite.Database, name: string, expected: string | number, setting: string): void {
  sqlite.pragma(setting);
  const actual = sqlite.pragma(name, { simple: true });
  if (actual !== expected) {
    throw new ArchiveUnwritable(
      `SQLite did not accept ${setting} (it reports ${String(actual)}): put the data directory on a local disk.`,
    );
  }
}

function migrate(sqlite: Sqlite.Database, file: string, readOnly: boolean): void {
  const version = Number(sqlite.pragma('user_version', { simple: true }));
  const missing = migrations().filter((migration) => migration.version > version);
  if (missing.length > 0 && readOnly) {
    throw new ArchiveVersion(
      `${file} was written by an older Clade (archive version ${version}): run \`clade up\` on it once.`,
    );
  }
  for (const migration of missing) {
    sqlite
      .transaction(() => {
        sqlite.exec(readFileSync(migration.file, 'utf8'));
        sqlite.pragma(`user_version = ${migration.version}`);
      })
      .immediate();
  }
}

/** The numbered SQL files, in order. A file's number is the version of the database after it. */
function migrations(): { version: number; file: string }[] {
  if (!existsSync(migrationsFolder))
    throw new Error(`Clade is not installed completely: ${migrationsFolder} is missing.`);
  return readdirSync(migrationsFolder)
    .filter((name) => /^\d{3}-.*\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 3)), file: join(migrationsFolder, name) }));
}

function translated<T>(file: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw translate(file, error);
  }
}

function translate(file: string, error: unknown): unknown {
  const code = error instanceof Sqlite.SqliteError ? error.code : '';
  if (code === 'SQLITE_FULL') return diskFullOr(error);
  if (code === 'SQLITE_NOTADB') return notAnArchive(file, error);
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|AUTH)/.test(code)) {
    return new ArchiveUnwritable(
      `The archive ${file} cannot be written (${code}): check the directory's owner and mode.`,
      {
        cause: error,
      },
    );
  }
  return error;
}
