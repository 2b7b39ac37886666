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
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ArchiveUnwritable, diskFullOr, NotFound } from './errors.ts';

/** Texts too long for a row, each stored once under the SHA-256 of its bytes (hex), gzipped. */
export class Blobs {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Stores the bytes durably and returns their digest, to be named by a row written after. Text is stored as UTF-8.
   *
   * @throws DiskFull
   */
  write(content: string | Uint8Array): string {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    const digest = sha256(bytes);
    const file = this.#file(digest);
    if (existsSync(file)) return digest;
    try {
      writeDurably(file, join(this.#folder, 'unfinished'), gzipSync(bytes, { level: 4 }));
    } catch (error) {
      throw diskFullOr(error);
    }
    return digest;
  }

  /** @throws NotFound */
  read(digest: string): Uint8Array {
    const file = this.#file(digest);
    if (!existsSync(file)) throw new NotFound(`There is no stored text ${digest} in ${this.#folder}.`);
    const bytes = gunzipSync(readFileSync(file));
    if (sha256(bytes) !== digest)
      throw new ArchiveUnwritable(`${file} is damaged: restore the data directory from a backup.`);
    return bytes;
  }

  /** As text; bytes that are not UTF-8 come out as U+FFFD. */
  readText(digest: string): string {
    return new TextDecoder().decode(this.read(digest));
  }

  /** Removes what a crash left half written. */
  sweep(): void {
    rmSync(join(this.#folder, 'unfinished'), { recursive: true, force: true });
  }

  #file(digest: string): string {
    if (!/^[0-9a-f]{64}$/.test(digest))
      throw new NotFound(`${JSON.stringify(digest)} is not the digest of a stored text.`);
    return join(this.#folder, digest.slice(0, 2), `${digest.slice(2)}.gz`);
  }
}

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
