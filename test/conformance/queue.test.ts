import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it as itself } from 'vitest';
import { createLog } from '#services/log.ts';
import { createBullQueue } from '#services/queue/bullmq.ts';
import { createMemoryQueue } from '#services/queue/memory.ts';
import type { Doorbell, Queue } from '#services/queue/queue.ts';
import { openRedisServer } from '#test/provision/redis.ts';

interface OpenQueue extends AsyncDisposable {
  queue: Queue;
}

const queues: [string, boolean, () => Promise<OpenQueue>][] = [
  ['memory', true, async () => ({ queue: createMemoryQueue(), async [Symbol.asyncDispose]() {} })],
  ['BullMQ', inject('redis').available, openBullQueue],
];

describe.each(queues)('the %s queue', (_name, available, open) => {
  const it = itself.skipIf(!available);

  it('carries what was rung before and after listening began', async () => {
    await using opened = await open();
    const { queue } = opened;
    await queue.ring(bell(1));
    const heard: Doorbell[] = [];
    await using _listening = listen(queue, 2, async (doorbell) => void heard.push(doorbell));
    await queue.ring(bell(2));
    await until(() => heard.length === 2);
    expect(heard.map(({ jobId }) => jobId).sort()).toEqual([bell(1).jobId, bell(2).jobId]);
  });

  it('calls no more handlers at once than there are slots', async () => {
    await using opened = await open();
    const { queue } = opened;
    let underWay = 0;
    let most = 0;
    let done = 0;
    await using _listening = listen(queue, 3, async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await sleep(5);
      underWay -= 1;
      done += 1;
    });
    for (let n = 1; n <= 20; n += 1) await queue.ring(bell(n));
    await until(() => done === 20);
    expect(most).toBe(3);
  });

  it('calls as many handlers at once as are rung for when slots are unbounded', async () => {
    await using opened = await open();
    const { queue } = opened;
    const release = Promise.withResolvers<void>();
    let underWay = 0;
    await using _listening = listen(queue, Number.POSITIVE_INFINITY, async () => {
      underWay += 1;
      await release.promise;
    });
    for (let n = 1; n <= 200; n += 1) await queue.ring(bell(n));
    await until(() => underWay === 200);
    release.resolve();
  });

  it('lets a doorbell that is rung again while it waits be heard once', async () => {
    await using opened = await open();
    const { queue } = opened;
    for (let time = 0; time < 3; time += 1) for (let n = 1; n <= 100; n += 1) await queue.ring(bell(n));
    const heard: Doorbell[] = [];
    await using _listening = listen(queue, 1, async (doorbell) => void heard.push(doorbell));
    await until(() => heard.length >= 100);
    await queue.ring(bell(101));
    await until(() => heard.some(({ jobId }) => jobId === bell(101).jobId));
    expect(heard).toHaveLength(101);
  });

  it('lets a doorbell be rung again as soon as it was heard, while its handler works', async () => {
    await using opened = await open();
    const { queue } = opened;
    const release = Promise.withResolvers<void>();
    let heard = 0;
    await using _listening = listen(queue, 2, async () => {
      heard += 1;
      await release.promise;
    });
    await untilAgain(
      () => queue.ring(bell(1)),
      () => heard === 2,
    );
    release.resolve();
  });

  it('lets listeners hear what is rung for their own class alone', async () => {
    await using opened = await open();
    const { queue } = opened;
    const heard: Doorbell[] = [];
    await using _listening = listen(queue, 2, async (doorbell) => void heard.push(doorbell), 'gpu-1x24');
    await queue.ring(bell(1));
    await queue.ring({ ...bell(2), resourceClass: 'gpu-1x24' });
    await until(() => heard.length > 0);
    expect(heard).toEqual([{ ...bell(2), resourceClass: 'gpu-1x24' }]);
  });

  it('shares the doorbells out among its listeners', async () => {
    await using opened = await open();
    const { queue } = opened;
    const release = Promise.withResolvers<void>();
    const heard = [0, 0];
    const taking = (index: number) => async () => {
      heard[index]! += 1;
      await release.promise;
    };
    await using _one = listen(queue, 3, taking(0));
    await using _other = listen(queue, 3, taking(1));
    for (let n = 1; n <= 10; n += 1) await queue.ring(bell(n));
    await until(() => heard[0] === 3 && heard[1] === 3);
    release.resolve();
    await until(() => heard[0]! + heard[1]! === 10);
  });

  it('uses a slot again as soon as it is free, while others are still busy', async () => {
    await using opened = await open();
    const { queue } = opened;
    const release = Promise.withResolvers<void>();
    let quick = 0;
    await using _listening = listen(queue, 2, async ({ jobId }) => {
      if (jobId.endsWith('t1')) await release.promise;
      else quick += 1;
    });
    for (let n = 1; n <= 10; n += 1) await queue.ring(bell(n));
    await until(() => quick === 9);
    release.resolve();
  });

  it('stops listening when told to, after the handlers under way have returned', async () => {
    await using opened = await open();
    const { queue } = opened;
    const release = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const stop = new AbortController();
    let ended = false;
    const handler = async () => {
      started.resolve();
      await release.promise;
    };
    const listening = queue.listen(handler, { resourceClass: 'cpu', slots: 1, signal: stop.signal }).then(() => {
      ended = true;
    });
    await queue.ring(bell(1));
    await started.promise;
    stop.abort();
    await sleep(10);
    expect(ended).toBe(false);
    release.resolve();
    await listening;
  });
});

async function openBullQueue(): Promise<OpenQueue> {
  const redis = await openRedisServer();
  const queue = await createBullQueue({ url: redis.url, prefix: 'clade:test', log: createLog('silent') });
  return {
    queue,
    async [Symbol.asyncDispose]() {
      await queue[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

function bell(n: number): Doorbell {
  return { jobId: `rabcdef-t${n}`, resourceClass: 'cpu' };
}

function listen(
  queue: Queue,
  slots: number,
  handler: (doorbell: Doorbell) => Promise<void>,
  resourceClass = 'cpu',
): AsyncDisposable {
  const stop = new AbortController();
  const listening = queue.listen(handler, { resourceClass, slots, signal: stop.signal });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await listening;
    },
  };
}

/** Does something again and again, as the scheduler rings, until it has come to hold. */
async function untilAgain(step: () => Promise<void>, holds: () => boolean): Promise<void> {
  await until(() => {
    if (!holds()) void step();
    return holds();
  });
}

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { timeout: 60_000 }).toBe(true);
}
