import type { Log } from '#services/log.ts';
import { listenOn } from './bullmq-listening.ts';
import { Ringing } from './bullmq-ringing.ts';
import type { Doorbell, Queue } from './queue.ts';
import { openRedis, type RedisHealth } from './redis.ts';
import { WaitingBells } from './waiting-bells.ts';

export interface BullQueue extends Queue, AsyncDisposable {
  /** Whether doorbells get through at the moment. */
  health(): RedisHealth;
  /** A doorbell that came another way: heard by who listens for its class in this process, in the slots that are free. */
  hint(doorbell: Doorbell): void;
}

/**
 * A queue on BullMQ: one of its queues for each resource class, made when first used. A doorbell is acknowledged when it
 * is handed over, not when its job is done, so that jobs of workers that die can be rung for at once; the scheduler rings
 * again for whatever got lost. `prefix` keeps several data directories apart on one Redis.
 *
 * Nothing waits for Redis: while it is away rings are dropped, listeners hear nothing, and disposing ends within seconds.
 * @throws CladeError `invalid-config` when Redis answers and must not be used; one that is away is looked for.
 */
export async function createBullQueue(options: { url: string; prefix: string; log: Log }): Promise<BullQueue> {
  const { url, prefix, log } = options;
  const link = await openRedis({ url, probeKey: `${prefix}:probe`, log });
  const ringing = new Ringing(link, prefix);
  const hints = new WaitingBells();
  return {
    async ring(doorbell) {
      ringing.ring(doorbell);
    },
    listen: (handler, how) => listenOn({ link, prefix, log }, hints, handler, how),
    health: () => link.health(),
    hint: (doorbell) => hints.add(doorbell),
    async [Symbol.asyncDispose]() {
      await ringing[Symbol.asyncDispose]();
      await link[Symbol.asyncDispose]();
    },
  };
}
