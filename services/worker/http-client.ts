import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallRole, JobId, JobResult, Lease } from '#archive/schema.ts';
import { CladeError } from '#services/errors.ts';
import type { ContentCache } from './cache.ts';
import { sha256 } from './content-folder.ts';
import { ControlAway } from './control-away.ts';
import type { ClaimedJob, ControlClient, Progress, Staged } from './control-client.ts';
import { type ControlAddress, ControlDoor, patiently } from './control-door.ts';
import { download } from './download.ts';
import { type FleetClient, type Heartbeat, Orders, Welcome, type WorkerDescription } from './fleet.ts';
import { forwardModelCall } from './model-forward.ts';
import { upload } from './upload.ts';
import { ClaimAnswer, DIGEST_HEADER, HeldAnswer, packResult, StagedAnswer, unpackJob, type WireJob } from './wire.ts';
import { decodeTask } from './wire-task.ts';

export interface HttpClientOptions extends ControlAddress {
  cache: ContentCache;
}

/** Disposing of it ends what is under way. */
export type HttpClient = ControlClient & FleetClient & AsyncDisposable;

/**
 * Control in another process, over HTTP: does what the object itself would do, and throws `ControlAway` besides. What may be
 * asked twice is asked again when an answer was lost.
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  return new RemoteControlClient(options);
}

/** Longer reasons and details say no more. */
const MOST_CHARS = 8_000;

class RemoteControlClient implements HttpClient {
  readonly #door: ControlDoor;
  readonly #cache: ContentCache;
  /** The newest of each job that has one to be sent. */
  readonly #reports = new Map<JobId, { lease: Lease; progress: Progress }>();

  constructor({ cache, ...address }: HttpClientOptions) {
    this.#door = new ControlDoor(address);
    this.#cache = cache;
  }

  async claim(jobId: JobId, worker: string): Promise<ClaimedJob | null> {
    const body = { worker, claim: randomUUID() };
    const ask = () => this.#door.post(about({ jobId }, 'claim'), body, ClaimAnswer, { timeoutMs: 10_000 });
    const { job } = await patiently(ask, { retries: 3 });
    return job === null ? null : await this.#whole(job);
  }

  async renew(lease: Lease): Promise<boolean> {
    const { epoch } = lease;
    const ask = () => this.#door.post(about(lease, 'renew'), { epoch }, HeldAnswer, { timeoutMs: 5_000 });
    return (await patiently(ask, { retries: 1 })).held;
  }

  async source(tree: string): Promise<Uint8Array> {
    return this.#cache.get(tree, () =>
      download(this.#door, `/v1/sources/${tree}`, (bytes, { headers }) => sha256(bytes) === headers[DIGEST_HEADER]),
    );
  }

  async stage(lease: Lease, parentCommit: string, patch: string): Promise<Staged> {
    const body = { epoch: lease.epoch, parentCommit, patch };
    const ask = () => this.#door.post(about(lease, 'stage'), body, StagedAnswer, { timeoutMs: 120_000, lease });
    return patiently(ask, { retries: 4 });
  }

  async model(lease: Lease, role: CallRole, request: Request): Promise<Response> {
    return forwardModelCall(this.#door, { lease, role, request });
  }

  report(lease: Lease, progress: Progress): void {
    const isUnderWay = this.#reports.has(lease.jobId);
    this.#reports.set(lease.jobId, { lease, progress });
    if (!isUnderWay) void this.#sendReports(lease.jobId);
  }

  async complete(lease: Lease, result: JobResult): Promise<boolean> {
    const ask = () => this.#handIn(lease, result);
    const answer = await patiently(
      () => ask().catch((error) => (isBlobMissing(error) ? ask() : Promise.reject(error))),
      {
        retries: 3,
      },
    );
    return answer.held;
  }

  async release(lease: Lease, reason: string, infra: boolean): Promise<void> {
    const body = { epoch: lease.epoch, reason: reason.slice(0, MOST_CHARS), infra };
    const ask = () => this.#door.post(about(lease, 'release'), body, HeldAnswer, { timeoutMs: 10_000 });
    await patiently(ask, { retries: 3 });
  }

  async join(description: WorkerDescription): Promise<Welcome> {
    const ask = () => this.#door.post('/v1/workers', description, Welcome, { timeoutMs: 10_000 });
    return patiently(ask, { retries: 1 });
  }

  async beat(name: string, heartbeat: Heartbeat): Promise<Orders> {
    const path = `/v1/workers/${encodeURIComponent(name)}/heartbeat`;
    return this.#door.post(path, heartbeat, Orders, { timeoutMs: 10_000 });
  }

  async leave(name: string, instance: string): Promise<void> {
    const path = `/v1/workers/${encodeURIComponent(name)}?instance=${encodeURIComponent(instance)}`;
    const ask = async () => (await this.#door.ask({ method: 'DELETE', path, timeoutMs: 5_000 })).body.dump();
    await patiently(ask, { retries: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door[Symbol.asyncDispose]();
  }

  /** A claimed job with what it names by digest. While that is fetched, its lease is kept; null when it cannot be had. */
  async #whole(job: WireJob): Promise<ClaimedJob | null> {
    const over = new AbortController();
    const keeping = this.#keep(job, over);
    const fetching = unpackJob(job, this.#blob, async (digest) => decodeTask(await this.#blob(digest)));
    try {
      return await Promise.race([fetching, rejectsWith(over.signal)]);
    } catch (error) {
      if (over.signal.aborted) return null;
      const reason = error instanceof Error ? error.message : String(error);
      await this.release(job.lease, reason, !(error instanceof ControlAway)).catch(() => undefined);
      return null;
    } finally {
      over.abort(new Error('the job is complete'));
      await keeping;
    }
  }

  readonly #blob = (digest: string): Promise<Uint8Array> =>
    this.#cache.get(digest, () => download(this.#door, `/v1/blobs/${digest}`, (bytes) => sha256(bytes) === digest));

  async #keep({ lease, leaseMs }: WireJob, over: AbortController): Promise<void> {
    for (;;) {
      await sleep(leaseMs / 3, undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted) return;
      const held = await this.renew(lease).catch(() => true);
      if (!held) over.abort(new Error('the lease is lost'));
    }
  }

  /** One after the other; none is worth a second try. */
  async #sendReports(jobId: JobId): Promise<void> {
    for (let next = this.#reports.get(jobId); next !== undefined; ) {
      const { lease, progress } = next;
      const body = { epoch: lease.epoch, stage: progress.stage, detail: progress.detail.slice(0, MOST_CHARS) };
      const sending = this.#door.post(about(lease, 'progress'), body, HeldAnswer, { timeoutMs: 10_000 });
      await sending.catch(() => undefined);
      const newest = this.#reports.get(jobId);
      if (newest === next) this.#reports.delete(jobId);
      next = newest === next ? undefined : newest;
    }
  }

  async #handIn(lease: Lease, result: JobResult) {
    const packed = await packResult(result, (bytes) => upload(this.#door, bytes));
    const body = { epoch: lease.epoch, result: packed };
    return this.#door.post(about(lease, 'complete'), body, HeldAnswer, { timeoutMs: 60_000, lease });
  }
}

function about({ jobId }: Pick<Lease, 'jobId'>, verb: string): string {
  return `/v1/jobs/${jobId}/${verb}`;
}

/** What was uploaded is gone again. */
function isBlobMissing(error: unknown): boolean {
  return error instanceof CladeError && error.code === 'blob-missing';
}

function rejectsWith(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
