import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Job, Worker } from 'bullmq';
import { JobId } from '#archive/schema.ts';
import type { Log } from '#services/log.ts';
import { attend } from './attend.ts';
import type { Doorbell, Queue } from './queue.ts';
import type { RedisLink } from './redis.ts';
import type { WaitingBells } from './waiting-bells.ts';

/** How long Redis is asked to wait for a doorbell. Also how late one may be heard whose finder died at the wrong moment. */
const BLOCK_SECONDS = 2;
/** A doorbell that was taken and not acknowledged by then is heard anew; that is also how often such are looked for. */
const UNACKNOWLEDGED_MS = 2_000;
/** A BullMQ worker that has said nothing for so long, not even that nothing came, is replaced. */
const SILENCE_MS = 30_000;
const CLOSING_MS = 2_000;

interface Line {
  link: RedisLink;
  prefix: string;
  log: Log;
}

/** `Queue.listen` on BullMQ, and for what waits in `bells` as well. */
export async function listenOn(
  line: Line,
  bells: WaitingBells,
  handler: (doorbell: Doorbell) => Promise<void>,
  how: Parameters<Queue['listen']>[1],
): Promise<void> {
  const ear = new Ear(line, how.resourceClass);
  const fetch = async () => {
    const jobId = await ear.next(how.signal);
    return jobId === null ? null : { jobId, resourceClass: how.resourceClass };
  };
  await Promise.all([attend(bells, handler, how, fetch), aborted(how.signal).then(() => ear.close())]);
}

/** Hears the doorbells of one resource class, one after the other. */
class Ear {
  readonly #line: Line;
  readonly #resourceClass: string;
  readonly #token = randomUUID();
  #worker: Worker | null = null;
  #asked: Promise<Job | undefined> | null = null;
  /** What BullMQ kept to itself while it was asked: it then says that nothing came. */
  #complaint: Error | null = null;

  constructor(line: Line, resourceClass: string) {
    this.#line = line;
    this.#resourceClass = resourceClass;
  }

  /** The job of the next doorbell, acknowledged; null when none came, Redis is away, or the signal aborted. Never throws. */
  async next(signal: AbortSignal): Promise<JobId | null> {
    const { link, log } = this.#line;
    await link.well(signal);
    if (signal.aborted) return null;
    try {
      const job = await this.#answer(signal);
      if (job !== undefined) return await acknowledge(job, this.#token, log);
      if (this.#complaint !== null) throw this.#complaint;
    } catch (error) {
      if (signal.aborted) return null;
      link.failed(error);
      // The next one asks before it waits, and so hears something even where waiting is what fails.
      void this.close();
    }
    return null;
  }

  /** Hands back what came too late, for others to hear. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === null) return;
    this.#worker = null;
    const late = this.#asked?.then((job) => job?.moveToWait(this.#token));
    const closed = Promise.allSettled([worker.close(true), late]);
    if (this.#line.link.health().connected) await within(CLOSING_MS, closed).catch(() => undefined);
  }

  async #answer(signal: AbortSignal): Promise<Job | undefined> {
    this.#worker ??= this.#openWorker();
    this.#complaint = null;
    this.#asked = this.#worker.getNextJob(this.#token);
    return await within(SILENCE_MS, this.#asked, signal);
  }

  /** Used to fetch, never to run: slots are ours to count. */
  #openWorker(): Worker {
    const { link, prefix } = this.#line;
    const worker = new Worker(this.#resourceClass, null, {
      ...{ connection: link.client, prefix, autorun: false, skipVersionCheck: true },
      ...{ lockDuration: UNACKNOWLEDGED_MS, stalledInterval: UNACKNOWLEDGED_MS, maxStalledCount: 0 },
      ...{ drainDelay: BLOCK_SECONDS, removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } },
    });
    worker.on('error', (error) => {
      this.#complaint = error;
    });
    worker.startStalledCheckTimer().catch(() => undefined);
    return worker;
  }
}

/** One that cannot be acknowledged is rung once more than needed, which the claim sees to. */
async function acknowledge(job: Job, token: string, log: Log): Promise<JobId | null> {
  await job.moveToCompleted(null, token, false).catch((error) => log.debug({ err: error }, 'a doorbell is kept'));
  return JobId.safeParse(job.id).data ?? null;
}

/** @throws Silence when the promise takes longer, the signal's reason when that aborts first. */
async function within<T>(limitMs: number, promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  const over = new AbortController();
  const limit = AbortSignal.any([over.signal, ...(signal === undefined ? [] : [signal])]);
  const silence = sleep(limitMs, undefined, { signal: limit }).then(() => Promise.reject(new Silence(limitMs)));
  try {
    return await Promise.race([promise, silence]);
  } finally {
    over.abort();
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

class Silence extends Error {
  override name = 'Silence';
  constructor(limitMs: number) {
    super(`Redis did not answer within ${limitMs / 1000} s`);
  }
}
