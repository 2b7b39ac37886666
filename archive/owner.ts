import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { z } from 'zod';
import { ArchiveLocked } from './errors.ts';
import { isAlive, thisBootId } from './process-life.ts';

const OwnerNote = z.object({ pid: z.int().positive(), bootId: z.string(), url: z.string().nullable() });

/** The process that owns a data directory, and where its service answers; null while it has none, or not yet. */
export type Owner = Pick<z.infer<typeof OwnerNote>, 'pid' | 'url'>;

/**
 * Makes this process the owner of a data directory until it is disposed of or dies. The right is an exclusive lock of
 * SQLite's on a file of its own, which the kernel takes back from a dead process: a stale owner cannot exist, not even
 * across containers that share the directory, where process ids say nothing. `owner.json` beside it tells others who it is.
 *
 * @throws ArchiveLocked
 */
export class Ownership implements Disposable {
  readonly #lock: Sqlite.Database;
  readonly #note: string;

  constructor(home: string) {
    this.#note = noteIn(home);
    this.#lock = new Sqlite(join(home, 'owner.lock'), { timeout: 0 });
    try {
      this.#lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      this.#lock.close();
      if (error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY'))
        throw new ArchiveLocked(home, readNote(home) ?? { pid: null, url: null });
      throw error;
    }
    this.announce(null);
  }

  /** Tells processes that come later where the service answers. */
  announce(url: string | null): void {
    writeFileSync(this.#note, `${JSON.stringify({ pid: process.pid, bootId: thisBootId(), url })}\n`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#note, { force: true });
    this.#lock.close();
  }
}

/** Who works in a data directory right now; null when nobody does. Holds no secret. */
export function readOwner(home: string): Owner | null {
  const owner = readNote(home);
  return owner !== null && isAlive(owner.pid) ? owner : null;
}

/** What the owner wrote of itself. A note of an earlier boot, or half of one, says nothing. */
function readNote(home: string): Owner | null {
  try {
    const { bootId, pid, url } = OwnerNote.parse(JSON.parse(readFileSync(noteIn(home), 'utf8')));
    return bootId === thisBootId() ? { pid, url } : null;
  } catch {
    // There is none, or its owner writes it right now.
    return null;
  }
}

function noteIn(home: string): string {
  return join(home, 'owner.json');
}
