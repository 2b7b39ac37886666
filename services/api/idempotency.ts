import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Archive } from '#archive/archive.ts';
import { type Run, RunId, type RunSpec } from '#archive/schema.ts';
import { CladeError } from '#services/errors.ts';

const Note = z.object({ specDigest: z.string(), begunAt: z.int(), runId: RunId.nullable() });
type Note = z.infer<typeof Note>;

export interface Keyed {
  run: Run;
  /** True when the key had been used before, and nothing was created now. */
  replayed: boolean;
}

/**
 * Creates at most one run per `Idempotency-Key`. The key is noted in a file before the run is created and the run's id after
 * it, so that a crash in between leaves a note without a run: then the run is the one of the same spec begun since.
 */
export class IdempotencyKeys {
  readonly #archive: Archive;
  readonly #createRun: (spec: RunSpec) => Promise<Run>;
  readonly #nowMs: () => number;
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(archive: Archive, createRun: (spec: RunSpec) => Promise<Run>, nowMs: () => number) {
    this.#archive = archive;
    this.#createRun = createRun;
    this.#nowMs = nowMs;
  }

  /** @throws CladeError `idempotency-conflict` when the key was used with another spec. */
  async createRun(key: string, spec: RunSpec): Promise<Keyed> {
    const file = join(this.#archive.home, 'idempotency', `${digest(key)}.json`);
    const before = this.#underWay.get(file) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => this.#once(file, key, spec));
    this.#underWay.set(file, mine);
    try {
      return await mine;
    } finally {
      if (this.#underWay.get(file) === mine) this.#underWay.delete(file);
    }
  }

  async #once(file: string, key: string, spec: RunSpec): Promise<Keyed> {
    const specDigest = digest(JSON.stringify(spec));
    const note = await readNote(file);
    if (note !== null && note.specDigest !== specDigest) {
      throw new CladeError(
        'idempotency-conflict',
        `The Idempotency-Key ${JSON.stringify(key)} was used for another run. Use a new one.`,
      );
    }
    const earlier = note === null ? null : this.#runOf(note);
    const begun = note ?? { specDigest, begunAt: this.#nowMs(), runId: null };
    if (note === null) await writeNote(file, begun);
    const run = earlier ?? (await this.#createRun(spec));
    if (begun.runId === null) await writeNote(file, { ...begun, runId: run.id });
    return { run, replayed: earlier !== null };
  }

  #runOf({ runId, specDigest, begunAt }: Note): Run | null {
    if (runId !== null) return this.#archive.runs.get(runId);
    const since = this.#archive.runs.list().filter((run) => run.createdAt >= begunAt);
    return since.find((run) => digest(JSON.stringify(run.spec)) === specDigest) ?? null;
  }
}

async function readNote(file: string): Promise<Note | null> {
  const text = await readFile(file, 'utf8').catch(() => null);
  return text === null ? null : Note.parse(JSON.parse(text));
}

/** Whole or not at all, whenever the process dies. */
async function writeNote(file: string, note: Note): Promise<void> {
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(`${file}.new`, JSON.stringify(note));
  await rename(`${file}.new`, file);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
