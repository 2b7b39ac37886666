import type { Archive } from '#archive/archive.ts';
import type { JobId, RunId } from '#archive/schema.ts';
import type { Progress } from '#services/worker/control-client.ts';

/** A job under way, as an operator sees it. */
export type SlotProgress = Progress & { runId: RunId; sinceMs: number };

/** What every slot does now. Shown, not stored: a restart begins with an empty one. */
export class ProgressBoard {
  readonly #slots = new Map<JobId, SlotProgress>();
  readonly #listeners = new Set<() => void>();
  readonly #archive: Pick<Archive, 'jobs'>;
  readonly #clock: () => number;

  constructor({ archive, clock }: { archive: Pick<Archive, 'jobs'>; clock: () => number }) {
    this.#archive = archive;
    this.#clock = clock;
  }

  /** What is being done now, oldest first. */
  list(): SlotProgress[] {
    return [...this.#slots.values()];
  }

  /** Called whenever the list changed. @returns how to stop being called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A worker says what it is doing. Nothing is kept of a job that nobody holds. */
  note(progress: Progress): void {
    const job = this.#archive.jobs.get(progress.jobId);
    if (job === null || job.state !== 'leased') return;
    const sinceMs = this.#slots.get(job.id)?.sinceMs ?? this.#clock();
    this.#slots.set(job.id, { ...progress, runId: job.runId, sinceMs });
    this.#tell();
  }

  /** Takes down the jobs that nobody holds any more. */
  forgetEnded(): void {
    const before = this.#slots.size;
    for (const jobId of this.#slots.keys()) {
      if (this.#archive.jobs.get(jobId)?.state !== 'leased') this.#slots.delete(jobId);
    }
    if (this.#slots.size < before) this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
