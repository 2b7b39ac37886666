import { setImmediate as turn } from 'node:timers/promises';
import { Queue as BullMq } from 'bullmq';
import type { JobId } from '#archive/schema.ts';
import type { Doorbell } from './queue.ts';
import type { RedisLink } from './redis.ts';

/** Doorbells sent in one go. */
const BATCH = 500;
/** Rings noted and not sent yet, at most; more are dropped. */
const MOST_DUE = 50_000;
/** So few are sent without a look, the first time. */
const FEW = 64;
/** Jobs remembered as rung for, at most, for each class. */
const MOST_SENT = 5_000;

interface Door {
  queue: BullMq;
  /** Jobs rung for since the last look. */
  sent: Set<JobId>;
}

/**
 * Sends doorbells to Redis, all that were rung in the meantime together. When many are, or one is rung again, it is looked
 * up first which are in line: ringing again for ten thousand costs one look, and one that is in no line gets into it
 * whatever else Redis remembers of it.
 */
export class Ringing implements AsyncDisposable {
  readonly #link: RedisLink;
  readonly #prefix: string;
  readonly #due = new Map<JobId, Doorbell>();
  readonly #doors = new Map<string, Door>();
  #sending: Promise<void> | null = null;

  constructor(link: RedisLink, prefix: string) {
    this.#link = link;
    this.#prefix = prefix;
  }

  /** Returns at once. While Redis is away nothing is kept. */
  ring(doorbell: Doorbell): void {
    if (!this.#link.health().connected || this.#due.size >= MOST_DUE) return;
    this.#due.set(doorbell.jobId, doorbell);
    this.#sending ??= this.#send().finally(() => {
      this.#sending = null;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#due.clear();
    for (const { queue } of this.#doors.values()) void queue.close().catch(() => undefined);
  }

  async #send(): Promise<void> {
    await turn();
    try {
      while (this.#due.size > 0) {
        const byClass = Map.groupBy(this.#due.values(), ({ resourceClass }) => resourceClass);
        this.#due.clear();
        for (const [resourceClass, doorbells] of byClass) {
          const jobIds = doorbells.map(({ jobId }) => jobId);
          await this.#sendTo(resourceClass, jobIds);
        }
      }
    } catch (error) {
      this.#due.clear();
      this.#link.failed(error);
    }
  }

  async #sendTo(resourceClass: string, jobIds: JobId[]): Promise<void> {
    const door = this.#door(resourceClass);
    const looks = jobIds.length > FEW || door.sent.size > MOST_SENT || jobIds.some((jobId) => door.sent.has(jobId));
    const missing = looks ? await this.#missing(door.queue, jobIds) : jobIds;
    if (looks) door.sent.clear();
    else for (const jobId of jobIds) door.sent.add(jobId);
    for (let from = 0; from < missing.length; from += BATCH) {
      const batch = missing.slice(from, from + BATCH);
      if (looks) void this.#link.client.unlink(batch.map((jobId) => door.queue.toKey(jobId))).catch(() => undefined);
      await door.queue.addBulk(
        batch.map((jobId) => ({ name: 'doorbell', data: null, opts: { ...asDoorbell, jobId } })),
      );
    }
  }

  /** Those of the jobs whose doorbell neither waits nor is being handed over. */
  async #missing(queue: BullMq, jobIds: JobId[]): Promise<JobId[]> {
    const lists = this.#link.client.multi();
    for (const list of ['wait', 'active']) lists.lrange(queue.toKey(list), 0, -1);
    const present = new Set<unknown>();
    for (const [error, ids] of (await lists.exec()) ?? []) {
      if (error !== null) throw error;
      if (Array.isArray(ids)) for (const id of ids) present.add(id);
    }
    return jobIds.filter((jobId) => !present.has(jobId));
  }

  #door(resourceClass: string): Door {
    const known = this.#doors.get(resourceClass);
    if (known !== undefined) return known;
    const queue = new BullMq(resourceClass, {
      connection: this.#link.client,
      prefix: this.#prefix,
      skipVersionCheck: true,
      streams: { events: { maxLen: 100 } },
    });
    queue.on('error', () => undefined);
    const door = { queue, sent: new Set<JobId>() };
    this.#doors.set(resourceClass, door);
    return door;
  }
}

/** Tried once, and gone when heard. */
const asDoorbell = { attempts: 1, removeOnComplete: true, removeOnFail: true };
