import { appendFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diskFullOr } from '#archive/errors.ts';
import { CladeError } from '#services/errors.ts';
import { type ContentFolder, digestOfFile } from '#services/worker/content-folder.ts';

/** Far above what a job leaves. */
const LARGEST_BYTES = 64 * 1024 * 1024;
/** How many may be unfinished: beyond that, those untouched longest begin anew. */
const MOST_UNFINISHED = 256;
/** Nobody comes back to an upload after so long. */
const STALE_MS = 60 * 60_000;

export interface Piece {
  offset: number;
  /** Of the whole. */
  length: number;
  bytes: Uint8Array;
}

/** How far an upload is. */
export interface UploadStanding {
  offset: number;
  complete: boolean;
}

/** Blobs on their way here, piece by piece, into a folder of whole ones. What is half here outlives a restart. */
export class Uploads {
  readonly #directory: string;
  readonly #whole: ContentFolder;
  readonly #turns = new Map<string, Promise<unknown>>();

  private constructor(directory: string, whole: ContentFolder) {
    this.#directory = directory;
    this.#whole = whole;
  }

  static async open(directory: string, whole: ContentFolder): Promise<Uploads> {
    await mkdir(directory, { recursive: true });
    return new Uploads(directory, whole);
  }

  async standing(digest: string): Promise<UploadStanding> {
    const whole = await this.#whole.find(digest);
    if (whole !== null) return { offset: whole.bytes, complete: true };
    return { offset: (await this.#unfinished(digest))?.size ?? 0, complete: false };
  }

  /**
   * Adds a piece at the end. The last one completes the blob, which must then be what its digest says. Of a blob that is here
   * already nothing is taken.
   * @throws CladeError `too-large`, `invalid-request`, `upload-conflict` when the piece does not begin where the last one
   * ended, `corrupt-blob`, after which it begins anew. @throws DiskFull
   */
  async add(digest: string, piece: Piece): Promise<UploadStanding> {
    const before = this.#turns.get(digest) ?? Promise.resolve();
    const turn = before.then(() => this.#add(digest, piece));
    const settled = turn.catch(() => undefined);
    this.#turns.set(digest, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(digest) === settled) this.#turns.delete(digest);
    }
  }

  async #add(digest: string, { offset, length, bytes }: Piece): Promise<UploadStanding> {
    if (length > LARGEST_BYTES)
      throw new CladeError('too-large', `A blob of ${length} bytes is more than the ${LARGEST_BYTES} that are taken.`);
    const { offset: at, complete } = await this.standing(digest);
    if (complete) return { offset: at, complete };
    if (offset !== at)
      throw new CladeError('upload-conflict', `${at} bytes of ${digest} are here: go on there, not at ${offset}.`);
    const end = offset + bytes.length;
    if (end > length)
      throw new CladeError(
        'invalid-request',
        `The piece ends at ${end}, beyond the ${length} bytes that were announced.`,
      );
    if (at === 0) await this.#makeRoom();
    const file = this.#file(digest);
    await appendFile(file, bytes).catch((error) => {
      throw diskFullOr(error);
    });
    if (end < length) return { offset: end, complete: false };
    await this.#finish(digest, length);
    return { offset: end, complete: true };
  }

  async #finish(digest: string, bytes: number): Promise<void> {
    const file = this.#file(digest);
    const actual = await digestOfFile(file);
    if (actual === digest) return this.#whole.take(file, { digest, bytes });
    await rm(file, { force: true });
    throw new CladeError(
      'corrupt-blob',
      `What came as ${digest} has the digest ${actual}: send it again from the beginning.`,
    );
  }

  /** Before another begins: removes what is stale, and the oldest where there are too many. */
  async #makeRoom(): Promise<void> {
    const files = await Promise.all((await readdir(this.#directory)).map((digest) => this.#unfinished(digest)));
    const byAge = files.filter((file) => file !== null).sort((a, b) => b.touchedMs - a.touchedMs);
    const surplus = byAge.filter((file, n) => n >= MOST_UNFINISHED - 1 || Date.now() - file.touchedMs > STALE_MS);
    await Promise.all(surplus.map(({ digest }) => rm(this.#file(digest), { force: true })));
  }

  async #unfinished(digest: string) {
    const stats = await stat(this.#file(digest)).catch(() => null);
    return stats && { digest, size: stats.size, touchedMs: stats.mtimeMs };
  }

  #file(digest: string): string {
    return join(this.#directory, digest);
  }
}
