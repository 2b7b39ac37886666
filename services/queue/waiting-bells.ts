import type { JobId } from '#archive/schema.ts';
import type { Doorbell } from './queue.ts';

/** Doorbells kept for each class, at most. They are rung again for as long as they mean something. */
const MOST_WAITING = 20_000;

/** Doorbells that wait in this process, each job's once, oldest first; where nobody listens the oldest are forgotten. */
export class WaitingBells {
  readonly #byClass = new Map<string, Map<JobId, Doorbell>>();
  readonly #listeners = new Set<() => void>();

  add(doorbell: Doorbell): void {
    const bells = this.#byClass.get(doorbell.resourceClass) ?? new Map<JobId, Doorbell>();
    this.#byClass.set(doorbell.resourceClass, bells.set(doorbell.jobId, doorbell));
    if (bells.size > MOST_WAITING) this.take(doorbell.resourceClass);
    for (const listener of this.#listeners) listener();
  }

  take(resourceClass: string): Doorbell | undefined {
    const bells = this.#byClass.get(resourceClass);
    const doorbell = bells?.values().next().value;
    if (doorbell !== undefined) bells?.delete(doorbell.jobId);
    return doorbell;
  }

  /** Calls the listener after each `add`, until what is returned is disposed of. */
  onArrival(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
