import type { Doorbell, Queue } from './queue.ts';
import type { WaitingBells } from './waiting-bells.ts';

/**
 * What `Queue.listen` promises, for doorbells that wait in this process. Whenever there is room and none waits, `fetch` is
 * asked for one, once at a time; it answers null when none came, and stops waiting when the signal aborts.
 */
export async function attend(
  bells: WaitingBells,
  handler: (doorbell: Doorbell) => Promise<void>,
  { resourceClass, slots, signal }: Parameters<Queue['listen']>[1],
  fetch?: () => Promise<Doorbell | null>,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  let changed = Promise.withResolvers<void>();
  const onChange = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  using _ = bells.onArrival(onChange);
  signal.addEventListener('abort', onChange, { once: true });
  let fetching: Promise<void> | null = null;

  while (!signal.aborted) {
    const hasRoom = underWay.size < slots;
    const doorbell = hasRoom ? bells.take(resourceClass) : undefined;
    if (doorbell !== undefined) {
      const done: Promise<void> = settled(handler(doorbell)).then(() => {
        underWay.delete(done);
        onChange();
      });
      underWay.add(done);
      continue;
    }
    if (hasRoom && fetch !== undefined) {
      fetching ??= fetch().then((fetched) => {
        fetching = null;
        if (fetched !== null) bells.add(fetched);
        onChange();
      });
    }
    await changed.promise;
  }
  await Promise.all([...underWay, fetching]);
}

/** A handler that throws all the same must not deafen its listener. */
async function settled(work: Promise<void>): Promise<void> {
  await work.catch(() => undefined);
}
