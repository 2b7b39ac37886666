import { attend } from './attend.ts';
import type { Queue } from './queue.ts';
import { WaitingBells } from './waiting-bells.ts';

/** The queue of a service that is control and worker in one process. */
export function createMemoryQueue(): Queue {
  const bells = new WaitingBells();
  return {
    async ring(doorbell) {
      bells.add(doorbell);
    },
    listen: (handler, how) => attend(bells, handler, how),
  };
}
