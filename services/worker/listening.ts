import type { Doorbell, Queue } from '#services/queue/queue.ts';
import type { Orders } from './fleet.ts';

interface Ear {
  slots: number;
  stop: AbortController;
}

/** What a worker listens for, which its orders change. */
export class Listening {
  readonly #handler: (doorbell: Doorbell, stop: AbortSignal) => Promise<void>;
  readonly #ears = new Map<string, Ear>();
  readonly #ending = new Set<Promise<void>>();

  /** @param handler called for each doorbell, with the signal that aborts once its class is no longer listened for. */
  constructor(handler: (doorbell: Doorbell, stop: AbortSignal) => Promise<void>) {
    this.#handler = handler;
  }

  /** Listens for these classes and no others; without a queue, for none. */
  set(classes: Orders['classes'], queue: Pick<Queue, 'listen'> | null): void {
    const wanted = new Map(queue === null ? [] : classes.map(({ name, slots }) => [name, slots]));
    for (const [name, { slots, stop }] of this.#ears) {
      if (wanted.get(name) === slots) continue;
      stop.abort(new Error(`nobody listens for ${name} any more`));
      this.#ears.delete(name);
    }
    for (const [name, slots] of wanted) if (!this.#ears.has(name)) this.#listen(name, slots, queue!);
  }

  /** Resolves once nothing that was listened for is under way any more. */
  async ended(): Promise<void> {
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #listen(resourceClass: string, slots: number, queue: Pick<Queue, 'listen'>): void {
    const stop = new AbortController();
    this.#ears.set(resourceClass, { slots, stop });
    const { signal } = stop;
    const ended: Promise<void> = queue
      .listen((doorbell) => this.#handler(doorbell, signal), { resourceClass, slots, signal })
      .finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }
}
