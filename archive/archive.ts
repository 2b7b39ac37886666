import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Agents } from './agents.ts';
import { Blobs } from './blobs.ts';
import { Database } from './database.ts';
import { Decisions } from './decisions.ts';
import { ArchiveUnwritable, diskFullOr, NotFound } from './errors.ts';
import { Events } from './events.ts';
import { Figures } from './figures.ts';
import { Jobs } from './jobs.ts';
import { Ledger } from './ledger.ts';
import { Ownership } from './owner.ts';
import { Proposals } from './proposals.ts';
import { Repository } from './repository.ts';
import { Runs } from './runs.ts';
import type { AgentId } from './schema.ts';
import { Trials } from './trials.ts';
import { Workers } from './workers.ts';

/** Everything that is remembered: one data directory with a database, the agents' git repository and long texts. */
export interface Archive extends AsyncDisposable {
  /** The data directory, absolute. */
  readonly home: string;
  /** Random id of this data directory, stable over its life; labels its sandboxes. */
  readonly ownerId: string;
  readonly runs: Runs;
  readonly agents: Agents;
  readonly proposals: Proposals;
  readonly trials: Trials;
  readonly jobs: Jobs;
  readonly workers: Workers;
  readonly ledger: Ledger;
  readonly decisions: Decisions;
  readonly events: Events;
  readonly figures: Figures;
  readonly blobs: Blobs;
  readonly repository: Repository;
  /** Runs synchronous writes of any of the parts as one transaction: all are stored when it returns, none when it throws. */
  transaction<T>(body: () => T): T;
  /**
   * The same for many at once: bodies asked for in the same turn of the event loop share a transaction and its sync to disk.
   * Resolves when stored; a body that throws is undone alone.
   */
  sharedTransaction<T>(body: () => T): Promise<T>;
  /** Runs synchronous reads of any of the parts on the archive as it is at one moment, whatever is written meanwhile. */
  snapshot<T>(body: () => T): T;
  /** Tells other processes where the service of this directory answers: see `readOwner`. Null: nowhere any more. */
  announce(url: string | null): void;
}

/**
 * Opens a data directory. One process at a time may write to it; any number may read (`readOnly`), also meanwhile.
 * `create` (default: when writing) makes a new one where there is none.
 *
 * @throws NotFound, ArchiveLocked, ArchiveVersion, ArchiveUnwritable, DiskFull
 */
export async function openArchive(
  home: string,
  options: { create?: boolean; readOnly?: boolean } = {},
): Promise<Archive> {
  const { readOnly = false, create = !readOnly } = options;
  const directory = resolve(home);
  if (!create && !existsSync(join(directory, 'archive.sqlite'))) throw noArchive(directory);
  const opened = new DisposableStack();
  try {
    const owner = readOnly ? null : opened.use(own(directory));
    const db = opened.adopt(new Database(join(directory, 'archive.sqlite'), { readOnly }), (open) => open.close());
    const repository = new Repository(directory, () => everyAgent(db));
    if (!readOnly) await repository.create();
    const parts = compose(directory, db, repository);
    if (!readOnly) parts.blobs.sweep();
    return { ...parts, announce: (url) => owner?.announce(url), [Symbol.asyncDispose]: disposal(opened.move()) };
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

/** Closes at once; the promise is what `await using` asks for. */
function disposal(opened: DisposableStack): () => Promise<void> {
  return async () => opened.dispose();
}

function compose(
  home: string,
  db: Database,
  repository: Repository,
): Omit<Archive, 'announce' | typeof Symbol.asyncDispose> {
  const events = new Events(db);
  const jobs = new Jobs(db, events);
  return {
    home,
    ownerId: ownerId(db),
    runs: new Runs(db, events),
    agents: new Agents(db),
    proposals: new Proposals(db, events, jobs),
    trials: new Trials(db, events, jobs),
    jobs,
    workers: new Workers(db),
    ledger: new Ledger(db, events),
    decisions: new Decisions(db, events, jobs),
    events,
    figures: new Figures(db),
    blobs: new Blobs(join(home, 'blobs')),
    repository,
    transaction: (body) => db.write(body),
    sharedTransaction: (body) => db.writeShared(body),
    snapshot: (body) => db.snapshot(body),
  };
}

function own(home: string): Ownership {
  try {
    makeDirectory(home);
    return new Ownership(home);
  } catch (error) {
    throw unwritable(home, error);
  }
}

/** One level at a time: Node's own recursive form never returns where the file system answers ENOENT, as /proc does. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectory(dirname(directory));
  mkdirSync(directory);
}

function unwritable(home: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^(EACCES|EPERM|EROFS|ENOTDIR|EEXIST|ENOENT|SQLITE_CANTOPEN|SQLITE_READONLY)/.test(code))
    return diskFullOr(error);
  return new ArchiveUnwritable(
    `${home} cannot be used as a data directory (${code}): choose one that you may write to.`,
    {
      cause: error,
    },
  );
}

/** The directory's own id, made at its first opening. */
function ownerId(db: Database): string {
  const known = db.get<{ owner_id: string }>('SELECT owner_id FROM home')?.owner_id;
  if (known) return known;
  const fresh = randomUUID().replaceAll('-', '').slice(0, 12);
  db.write(() => db.run('INSERT INTO home (owner_id) VALUES (?)', fresh));
  return fresh;
}

function everyAgent(db: Database): { id: AgentId; commit: string }[] {
  return db.all<{ id: AgentId; commit: string }>('SELECT id, commit_id AS "commit" FROM agents');
}

function noArchive(home: string): NotFound {
  return new NotFound(`There is no archive in ${home}: \`clade up\` makes one, or name another data directory.`);
}
