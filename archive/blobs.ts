import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync, gzip, gzipSync } from 'node:zlib';
import { ArchiveUnwritable, diskFullOr, NotFound } from './errors.ts';

/**
 * Texts too long for a row, gzipped. One written by `write` has a file of its own under the SHA-256 (hex) of its bytes, which
 * is its name. Those written by `writeAll` share a file under the SHA-256 of that file; a name then says as well which bytes of
 * the file to unzip, and which bytes of that are the text: `<digest>:<start>-<end>:<start>-<end>`.
 */
export class Blobs {
  readonly #folder: string;
  /** The batch that still takes texts: it waits for the one before it to be stored. */
  #filling: Batch | null = null;
  #stored: Promise<unknown> = Promise.resolve();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Stores the bytes durably and returns their name, to be kept in a row written after. Text is stored as UTF-8.
   *
   * @throws DiskFull
   */
  write(content: string | Uint8Array): string {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const digest = sha256(bytes);
    const file = this.#file(digest, 'gz');
    if (existsSync(file)) return digest;
    try {
      writeDurably(file, this.#workshop, gzipSync(bytes, compression));
    } catch (error) {
      throw diskFullOr(error);
    }
    return digest;
  }

  /**
   * Stores texts durably without keeping the event loop waiting, all that are asked for meanwhile in one file, so that they
   * share its syncs to disk. Returns under each key the name of its text, to be kept in a row written after; null stays null.
   *
   * @throws DiskFull
   */
  async writeAll<T extends Record<string, string | null>>(texts: T): Promise<Names<T>> {
    const parts = partsOf(texts);
    if (parts.length === 0) return texts as Names<T>; // All are null.
    const zipped = await gzipAside(Buffer.concat(parts.map(({ bytes }) => bytes)), compression);
    this.#filling ??= this.#nextBatch();
    const { written, place } = this.#filling.add(zipped);
    const digest = await written;
    const names = parts.map(({ key, start, end }) => [key, `${digest}:${place}:${start}-${end}`]);
    return { ...texts, ...Object.fromEntries(names) } as Names<T>; // Every text is replaced by its name.
  }

  /** @throws NotFound */
  read(name: string): Uint8Array {
    const [, digest, ...bounds] = /^([0-9a-f]{64})(?::(\d+)-(\d+):(\d+)-(\d+))?$/.exec(name) ?? [];
    if (digest === undefined) throw new NotFound(`${JSON.stringify(name)} is not the name of a stored text.`);
    const isShared = bounds[0] !== undefined;
    const file = this.#file(digest, isShared ? 'texts' : 'gz');
    if (!existsSync(file)) throw new NotFound(`There is no stored text ${name} in ${this.#folder}.`);
    const bytes = isShared ? sharedText(file, digest, bounds.map(Number)) : ownText(file, digest);
    if (bytes === null) throw new ArchiveUnwritable(`${file} is damaged: restore the data directory from a backup.`);
    return bytes;
  }

  /** As text; bytes that are not UTF-8 come out as U+FFFD. */
  readText(name: string): string {
    return new TextDecoder().decode(this.read(name));
  }

  /** Removes what a crash left half written. */
  sweep(): void {
    rmSync(this.#workshop, { recursive: true, force: true });
  }

  #nextBatch(): Batch {
    const batch = new Batch(this.#stored, (bytes) => {
      this.#filling = null;
      return this.#store(bytes);
    });
    this.#stored = batch.written.catch(() => undefined);
    return batch;
  }

  async #store(bytes: Uint8Array): Promise<string> {
    const digest = sha256(bytes);
    await writeDurablyAside(this.#file(digest, 'texts'), this.#workshop, bytes);
    return digest;
  }

  get #workshop(): string {
    return join(this.#folder, 'unfinished');
  }

  #file(digest: string, kind: 'gz' | 'texts'): string {
    return join(this.#folder, digest.slice(0, 2), `${digest.slice(2)}.${kind}`);
  }
}

/** A name for each text. */
type Names<T> = { [Key in keyof T]: string | Extract<T[Key], null> };

/** Where each text stands when all are put one after the other. */
function partsOf(
  texts: Record<string, string | null>,
): { key: string; bytes: Uint8Array; start: number; end: number }[] {
  let end = 0;
  return Object.entries(texts).flatMap(([key, text]) => {
    if (text === null) return [];
    const bytes = Buffer.from(text);
    const start = end;
    end += bytes.length;
    return { key, bytes, start, end };
  });
}

/** Gzipped texts that go to the disk as one file. */
class Batch {
  /** The digest of the file, once it is stored. */
  readonly written: Promise<string>;
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Is stored by `store` when `before` has resolved; what is added until then goes with it. */
  constructor(before: Promise<unknown>, store: (bytes: Uint8Array) => Promise<string>) {
    this.written = before.then(() => store(Buffer.concat(this.#parts)));
  }

  /** `place`: which bytes of the file these will be. */
  add(zipped: Uint8Array): { written: Promise<string>; place: string } {
    const start = this.#length;
    this.#parts.push(zipped);
    this.#length += zipped.length;
    return { written: this.written, place: `${start}-${this.#length}` };
  }
}

/** Null where the file is damaged, as below. */
function ownText(file: string, digest: string): Uint8Array | null {
  const bytes = unzipped(readFileSync(file));
  return bytes !== null && sha256(bytes) === digest ? bytes : null;
}

function sharedText(file: string, digest: string, [from, to, start, end]: number[]): Uint8Array | null {
  const stored = readFileSync(file);
  return sha256(stored) === digest ? (unzipped(stored.subarray(from, to))?.subarray(start, end) ?? null) : null;
}

function unzipped(zipped: Uint8Array): Uint8Array | null {
  try {
    return gunzipSync(zipped);
  } catch {
    return null;
  }
}

const compression = { level: 4 };
const gzipAside = promisify(gzip);

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The file appears whole or not at all, and stays: its bytes and its name reach the disk before this returns. */
function writeDurably(file: string, workshop: string, bytes: Uint8Array): void {
  const folder = dirname(file);
  mkdirSync(workshop, { recursive: true });
  if (mkdirSync(folder, { recursive: true }) !== undefined) withFile(dirname(folder), 'r', fsyncSync);
  const unfinished = join(workshop, randomUUID());
  try {
    withFile(unfinished, 'wx', (descriptor) => {
      for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
      fsyncSync(descriptor);
    });
    renameSync(unfinished, file);
    withFile(folder, 'r', fsyncSync);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

function withFile(file: string, flags: string, body: (descriptor: number) => void): void {
  const descriptor = openSync(file, flags);
  try {
    body(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** As `writeDurably`, off the main thread. @throws DiskFull */
async function writeDurablyAside(file: string, workshop: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(file);
  const unfinished = join(workshop, randomUUID());
  try {
    await mkdir(workshop, { recursive: true });
    if ((await mkdir(folder, { recursive: true })) !== undefined) await syncFolder(dirname(folder));
    await writeSynced(unfinished, bytes);
    await rename(unfinished, file);
    await syncFolder(folder);
  } catch (error) {
    // What cannot be removed now is swept away at the next start.
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw diskFullOr(error);
  }
}

async function writeSynced(file: string, bytes: Uint8Array): Promise<void> {
  await using opened = await open(file, 'wx');
  await opened.writeFile(bytes);
  await opened.sync();
}

async function syncFolder(folder: string): Promise<void> {
  await using opened = await open(folder, 'r');
  await opened.sync();
}
