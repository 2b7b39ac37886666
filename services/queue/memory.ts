import type { Doorbell, Queue } from './queue.ts';

/** The queue of a service that is control and worker in one process. */
export function createMemoryQueue(): Queue {
  const waiting: Doorbell[] = [];
  const wakeups = new Set<() => void>();

  return {
    async ring(doorbell) {
      if (!waiting.some(({ jobId }) => jobId === doorbell.jobId)) waiting.push(doorbell);
      for (const wake of wakeups) wake();
    },

    async listen(handler, { slots, signal }) {
      const underWay = new Set<Promise<void>>();
      while (!signal.aborted) {
        while (underWay.size < slots && waiting.length > 0) {
          const done: Promise<void> = handler(waiting.shift()!).finally(() => underWay.delete(done));
          underWay.add(done);
        }
        await Promise.race([rung(wakeups, signal), ...(underWay.size >= slots ? underWay : [])]);
      }
      await Promise.allSettled(underWay);
    },
  };
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
