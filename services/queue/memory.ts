import type { Doorbell, Queue } from './queue.ts';

/** The queue of a service that is control and worker in one process. */
export function createMemoryQueue(): Queue {
  const waiting = new Map<string, Doorbell[]>();
  const wakeups = new Set<() => void>();

  return {
    async ring(doorbell) {
      const others = of(doorbell.resourceClass);
      if (!others.some(({ jobId }) => jobId === doorbell.jobId)) others.push(doorbell);
      for (const wake of wakeups) wake();
    },

    async listen(handler, { resourceClass, slots, signal }) {
      const rings = of(resourceClass);
      const underWay = new Set<Promise<void>>();
      while (!signal.aborted) {
        while (underWay.size < slots && rings.length > 0) {
          const done: Promise<void> = handler(rings.shift()!).finally(() => underWay.delete(done));
          underWay.add(done);
        }
        await Promise.race([rung(wakeups, signal), ...(underWay.size >= slots ? underWay : [])]);
      }
      await Promise.allSettled(underWay);
    },
  };

  function of(resourceClass: string): Doorbell[] {
    const rings = waiting.get(resourceClass) ?? [];
    waiting.set(resourceClass, rings);
    return rings;
  }
}

/** Resolves at the next ring, or when the signal aborts. */
function rung(wakeups: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      wakeups.delete(wake);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    wakeups.add(wake);
    signal.addEventListener('abort', wake);
  });
}
