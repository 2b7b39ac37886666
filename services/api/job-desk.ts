import { join } from 'node:path';
import { DiskFull } from '#archive/errors.ts';
import type { JobId, Lease } from '#archive/schema.ts';
import type { Task } from '#benchmarks/schema.ts';
import { CladeError } from '#services/errors.ts';
import { ContentFolder } from '#services/worker/content-folder.ts';
import type { ControlClient } from '#services/worker/control-client.ts';
import { packJob, unpackResult, type WireJob, type WireResult } from '#services/worker/wire.ts';
import { encodeTask } from '#services/worker/wire-task.ts';
import { CallDesk, type CallDeskOptions } from './call-desk.ts';
import { Uploads } from './uploads.ts';

export interface JobDeskOptions {
  control: ControlClient;
  /** For blobs on their way; need not exist. What is in it may be lost at any time. */
  directory: string;
  /** That they may take up at most; default 2 GiB. */
  maxBytes?: number;
  calls?: CallDeskOptions;
}

/** How long the answer to a claim may be asked for again. */
const CLAIM_MS = 60_000;

/** What workers elsewhere may ask of control: as those beside it, but with tasks and long texts as blobs. */
export class JobDesk {
  readonly control: ControlClient;
  /** Whole blobs, of both directions. */
  readonly blobs: ContentFolder;
  readonly uploads: Uploads;
  readonly calls: CallDesk;
  /** By the object, of which a suite has one for each task. */
  readonly #tasks = new WeakMap<Task, string>();
  /** Those whose worker has not yet shown that it heard the answer, oldest first. */
  readonly #claims = new Map<string, { answer: Promise<WireJob | null>; atMs: number }>();
  readonly #claimOf = new Map<JobId, { claim: string; epoch: number }>();

  private constructor(parts: Pick<JobDesk, 'control' | 'blobs' | 'uploads' | 'calls'>) {
    this.control = parts.control;
    this.blobs = parts.blobs;
    this.uploads = parts.uploads;
    this.calls = parts.calls;
  }

  /** @throws DiskFull; what the file system throws. */
  static async open({ control, directory, maxBytes = 2 ** 31, calls }: JobDeskOptions): Promise<JobDesk> {
    const blobs = await ContentFolder.open(join(directory, 'blobs'), { maxBytes });
    const uploads = await Uploads.open(join(directory, 'uploads'), blobs);
    return new JobDesk({ control, blobs, uploads, calls: new CallDesk(calls) });
  }

  /**
   * As `claim` of control. Asked again with the same `claim` (of the asker's making), it gives the same job, for as long as
   * the lease is held and none of its other calls was heard: so that an answer may get lost.
   */
  async claim(jobId: JobId, { worker, claim }: { worker: string; claim: string }): Promise<WireJob | null> {
    this.#forgetOld();
    const earlier = await this.#claims.get(claim)?.answer;
    if (earlier) return (await this.control.renew(earlier.lease)) ? earlier : null;
    const answer = this.#claimed(jobId, worker);
    this.#claims.set(claim, { answer, atMs: performance.now() });
    const job = await answer.catch(() => null);
    if (job === null) this.#claims.delete(claim);
    else this.#claimOf.set(jobId, { claim, epoch: job.lease.epoch });
    return answer;
  }

  /** The worker knows of its lease: it need not be told again. */
  heard({ jobId, epoch }: Lease): void {
    const known = this.#claimOf.get(jobId);
    if (known?.epoch !== epoch) return;
    this.#claimOf.delete(jobId);
    this.#claims.delete(known.claim);
  }

  /** As `complete` of control. @throws CladeError `blob-missing`. */
  async complete(lease: Lease, result: WireResult): Promise<boolean> {
    return this.control.complete(lease, await unpackResult(result, (digest) => this.#blob(digest)));
  }

  async #claimed(jobId: JobId, worker: string): Promise<WireJob | null> {
    const job = await this.control.claim(jobId, worker);
    if (job === null) return null;
    try {
      return await packJob(
        job,
        (bytes) => this.blobs.put(bytes),
        (task) => this.#digestOf(task),
      );
    } catch (error) {
      // What there is no room for is nobody's failure.
      const reason = error instanceof Error ? error.message : String(error);
      await this.control.release(job.lease, reason, !(error instanceof DiskFull));
      throw error;
    }
  }

  async #digestOf(task: Task): Promise<string> {
    const known = this.#tasks.get(task);
    if (known !== undefined && (await this.blobs.find(known)) !== null) return known;
    const digest = await this.blobs.put(encodeTask(task));
    this.#tasks.set(task, digest);
    return digest;
  }

  async #blob(digest: string): Promise<Uint8Array> {
    const bytes = await this.blobs.read(digest);
    if (bytes !== null) return bytes;
    throw new CladeError('blob-missing', `There is no blob ${digest} here: upload it, then complete the job again.`);
  }

  #forgetOld(): void {
    for (const [claim, { atMs, answer }] of this.#claims) {
      if (performance.now() - atMs < CLAIM_MS) return;
      this.#claims.delete(claim);
      void answer.then((job) => job && this.#claimOf.delete(job.lease.jobId)).catch(() => undefined);
    }
  }
}

/** @throws DiskFull; what the file system throws. */
export function openJobDesk(options: JobDeskOptions): Promise<JobDesk> {
  return JobDesk.open(options);
}
