import { setTimeout as sleep } from 'node:timers/promises';
import { Lease } from '#archive/schema.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { SandboxLabels } from '#sandbox/schema.ts';
import type { Log } from '#services/log.ts';

const LOOK_EVERY_MS = 30_000;

export interface RemainsOptions {
  drivers: readonly Pick<SandboxDriver, 'name' | 'reap'>[];
  log: Log;
  /** Default 30,000. */
  lookEveryMs?: number;
}

/**
 * Sandboxes on this machine that no job needs any more, such as those of a worker that was killed. Which these are control
 * alone knows, by their leases; so they are looked for, told to it, and removed when it says that their lease has ended.
 */
export class Remains implements Disposable {
  readonly #options: RemainsOptions;
  readonly #closing = new AbortController();
  #owner: string | null = null;
  #found: Lease[] = [];
  #isRemoving = false;

  constructor(options: RemainsOptions) {
    this.#options = options;
    void this.#watch();
  }

  /** The leases of all sandboxes there were at the last look, those in use too. @param owner whose sandboxes are looked for from now on. */
  find(owner?: string): Lease[] {
    if (owner !== undefined && owner !== this.#owner) {
      this.#owner = owner;
      void this.#look();
    }
    return this.#found;
  }

  /** Removes the sandboxes of these leases. Never throws. */
  async remove(leases: readonly Lease[]): Promise<void> {
    if (leases.length === 0 || this.#owner === null || this.#isRemoving) return;
    this.#isRemoving = true;
    const isOver = (labels: Pick<SandboxLabels, 'job' | 'epoch'>) =>
      leases.some(({ jobId, epoch }) => jobId === labels.job && epoch === labels.epoch);
    await this.#reap(this.#owner, (labels) => !isOver(labels));
    this.#found = this.#found.filter(({ jobId, epoch }) => !isOver({ job: jobId, epoch }));
    this.#isRemoving = false;
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await sleep(this.#options.lookEveryMs ?? LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (!signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    if (this.#owner === null) return;
    const found = new Map<string, Lease>();
    await this.#reap(this.#owner, ({ job, epoch }) => {
      const lease = Lease.safeParse({ jobId: job, epoch });
      if (lease.success) found.set(`${job} ${epoch}`, lease.data);
      return true;
    });
    this.#found = [...found.values()];
  }

  async #reap(owner: string, isAlive: (labels: SandboxLabels) => boolean): Promise<void> {
    const { drivers, log } = this.#options;
    for (const driver of drivers) {
      const removed = await driver.reap(owner, isAlive).catch((error: unknown) => {
        log.warn({ err: error, driver: driver.name }, 'sandboxes that were left behind could not be looked for');
        return [];
      });
      if (removed.length > 0) log.info({ driver: driver.name, removed }, 'removed sandboxes that were left behind');
    }
  }
}
