import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createMemoryQueue } from '#services/queue/memory.ts';
import type { Doorbell, Queue } from '#services/queue/queue.ts';

const queues: [string, () => Promise<Queue>][] = [['memory', async () => createMemoryQueue()]];

describe.each(queues)('the %s queue', (_name, open) => {
  it('carries what was rung before and after listening began', async () => {
    const queue = await open();
    await queue.ring(bell(1));
    const heard: Doorbell[] = [];
    await using _listening = listen(queue, 2, async (doorbell) => void heard.push(doorbell));
    await queue.ring(bell(2));
    await until(() => heard.length === 2);
    expect(heard.map(({ jobId }) => jobId).sort()).toEqual([bell(1).jobId, bell(2).jobId]);
  });

  it('calls no more handlers at once than there are slots', async () => {
    const queue = await open();
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
    const queue = await open();
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

  it('uses a slot again as soon as it is free, while others are still busy', async () => {
    const queue = await open();
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
    const queue = await open();
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

function bell(n: number): Doorbell {
  return { jobId: `rabcdef-t${n}`, resourceClass: 'cpu' };
}

function listen(queue: Queue, slots: number, handler: (doorbell: Doorbell) => Promise<void>): AsyncDisposable {
  const stop = new AbortController();
  const listening = queue.listen(handler, { resourceClass: 'cpu', slots, signal: stop.signal });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await listening;
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 5_000; waited += 5) {
    if (holds()) return;
    await sleep(5);
  }
  throw new Error('waited 5 s in vain');
}
