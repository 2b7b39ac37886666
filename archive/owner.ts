import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { z } from 'zod';
import { ArchiveLocked } from './errors.ts';

const OwnerNote = z.object({ pid: z.int(), bootId: z.string(), url: z.string().nullable() });

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
    this.#note = join(home, 'owner.json');
    this.#lock = new Sqlite(join(home, 'owner.lock'), { timeout: 0 });
    try {
      this.#lock.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      this.#lock.close();
      if (error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_BUSY'))
        throw new ArchiveLocked(home, note(this.#note));
      throw error;
    }
    this.announce(null);
  }

  /** Tells processes that come later where the service answers. */
  announce(url: string | null): void {
    writeFileSync(this.#note, `${JSON.stringify({ pid: process.pid, bootId: bootId(), url })}\n`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#note, { force: true });
    this.#lock.close();
  }
}

/** What the owner wrote of itself. A note of an earlier boot, or half of one, says nothing. */
function note(file: string): { pid: number | null; url: string | null } {
  try {
    const owner = OwnerNote.parse(JSON.parse(readFileSync(file, 'utf8')));
    if (owner.bootId === bootId()) return owner;
  } catch {
    // Its owner may be writing it right now; that someone holds the lock is certain without it.
  }
  return { pid: null, url: null };
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
