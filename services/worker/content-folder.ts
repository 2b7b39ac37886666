import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { diskFullOr } from '#archive/errors.ts';

/** `digest`: SHA-256 of the bytes, hex. */
interface Entry {
  digest: string;
  bytes: number;
}

/**
 * Files by name in a folder, each with the SHA-256 of its bytes, at most so many bytes in all: those used longest ago go
 * first. A file is there whole or not at all, whatever kills the process; one that was damaged counts as not there.
 */
export class ContentFolder {
  readonly #directory: string;
  readonly #maxBytes: number;
  /** Those used longest ago come first. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  private constructor(directory: string, maxBytes: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Makes the folder, or takes over what an earlier process left in it. @throws DiskFull, what the file system throws. */
  static async open(directory: string, { maxBytes }: { maxBytes: number }): Promise<ContentFolder> {
    const folder = new ContentFolder(directory, maxBytes);
    await mkdir(directory, { recursive: true }).catch(refused);
    const found = await Promise.all((await readdir(directory)).map((file) => folder.#found(file)));
    const usable = found.filter((one) => one !== null).sort((a, b) => a.usedMs - b.usedMs);
    for (const { name, digest, bytes } of usable) await folder.#keep(name, { digest, bytes });
    return folder;
  }

  /** How many bytes the files have together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Where a file is, null when it is not there or not as it was put. It may be gone by the time it is opened. */
  async find(name: string): Promise<(Entry & { path: string }) | null> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    const path = this.#path(name, entry.digest);
    return (await this.#isAsPut(name, entry, await digestOfFile(path))) ? { ...entry, path } : null;
  }

  /** The bytes of a file, null when it is not there or not as it was put. */
  async read(name: string): Promise<Uint8Array | null> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    const bytes = await readFile(this.#path(name, entry.digest)).catch(() => null);
    return (await this.#isAsPut(name, entry, bytes && sha256(bytes))) ? bytes : null;
  }

  /**
   * Keeps bytes under a name of lower-case letters and digits, by default their digest, which is returned.
   * @throws DiskFull; RangeError for more bytes than the folder may hold; what the file system throws.
   */
  async put(bytes: Uint8Array, name?: string): Promise<string> {
    const digest = sha256(bytes);
    await this.#place(name ?? digest, { digest, bytes: bytes.length }, (path) => writeFile(path, bytes));
    return digest;
  }

  /** The same for a file that is moved here, under its digest, which must be right. */
  async take(path: string, entry: Entry): Promise<void> {
    await this.#place(entry.digest, entry, (unfinished) => rename(path, unfinished));
  }

  async #place(name: string, entry: Entry, fill: (path: string) => Promise<void>): Promise<void> {
    if (entry.bytes > this.#maxBytes)
      throw new RangeError(`${entry.bytes} bytes are more than ${this.#directory} may hold (${this.#maxBytes}).`);
    const unfinished = join(this.#directory, `${UNFINISHED}${randomUUID()}`);
    try {
      await fill(unfinished);
      await rename(unfinished, this.#path(name, entry.digest));
    } catch (error) {
      await remove(unfinished);
      refused(error);
    }
    await this.#keep(name, entry);
  }

  /** Counts a file as used just now, and drops what there is no room for any more. */
  async #keep(name: string, entry: Entry): Promise<void> {
    const before = this.#entries.get(name);
    if (before !== undefined && before.digest !== entry.digest) await this.#drop(name);
    this.#used(name, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      await this.#drop(oldest);
    }
  }

  /** Drops what is not. */
  async #isAsPut(name: string, entry: Entry, digest: string | null): Promise<boolean> {
    // Meanwhile it may have been dropped, or something else put in its place.
    if (this.#entries.get(name)?.digest !== entry.digest) return false;
    if (entry.digest !== digest) {
      await this.#drop(name);
      return false;
    }
    this.#used(name, entry);
    // Only the order in which a later process drops files hangs on it.
    await utimes(this.#path(name, digest), new Date(), new Date()).catch(() => undefined);
    return true;
  }

  #used(name: string, entry: Entry): void {
    this.#bytes += entry.bytes - (this.#entries.get(name)?.bytes ?? 0);
    this.#entries.delete(name);
    this.#entries.set(name, entry);
  }

  async #drop(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    this.#bytes -= entry.bytes;
    await remove(this.#path(name, entry.digest));
  }

  async #found(file: string) {
    const path = join(this.#directory, file);
    if (file.startsWith(UNFINISHED)) await remove(path);
    const [, name, digest] = /^([0-9a-z]+?)(?:\.([0-9a-f]{64}))?$/.exec(file) ?? [];
    const stats = name === undefined ? null : await stat(path).catch(() => null);
    if (name === undefined || !stats?.isFile()) return null;
    return { name, digest: digest ?? name, bytes: stats.size, usedMs: stats.mtimeMs };
  }

  #path(name: string, digest: string): string {
    return join(this.#directory, name === digest ? name : `${name}.${digest}`);
  }
}

const UNFINISHED = 'unfinished-';

/** Null where there is no such file to read. */
export async function digestOfFile(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch {
    return null;
  }
  return hash.digest('hex');
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

function refused(error: unknown): never {
  throw diskFullOr(error);
}
