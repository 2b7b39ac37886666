import { statfsSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Diagnosis, SandboxDriver } from '#sandbox/sandbox.ts';

const DIAGNOSE_EVERY_MS = 10_000;

/** How a worker does, as it tells control. */
export interface Health {
  /** Why it takes no jobs for now; null when it is well. */
  unwell: string | null;
  /** One-minute load average. */
  load: number;
  diskFreeMiB: number;
}

export interface HealthOptions {
  /** Where the worker keeps its files. */
  home: string;
  /** Below this much free disk it takes no jobs. */
  minFreeMiB: number;
  /** Those that worked when the worker came; one that fails since makes it unwell. */
  drivers: readonly Pick<SandboxDriver, 'name' | 'diagnose'>[];
  /** Default 10,000. */
  diagnoseEveryMs?: number;
}

/** Keeps an eye on what a worker needs: room on its disk, and its sandboxes. A driver that takes its time holds up nobody. */
export class HealthWatch implements Disposable {
  readonly #options: HealthOptions;
  readonly #closing = new AbortController();
  readonly #failing = new Map<string, Diagnosis>();

  constructor(options: HealthOptions) {
    this.#options = options;
    for (const driver of options.drivers) void this.#watch(driver);
  }

  look(): Health {
    const { home, minFreeMiB } = this.#options;
    const diskFreeMiB = freeMiB(home);
    const short = diskFreeMiB < minFreeMiB ? [`${diskFreeMiB} MiB free in ${home}, needs ${minFreeMiB} MiB`] : [];
    const failing = [...this.#failing].map(([name, { detail, remedy }]) => `${name}: ${detail}${hintOf(remedy)}`);
    const troubles = [...short, ...failing];
    return { unwell: troubles.length === 0 ? null : troubles.join('; '), load: loadavg()[0] ?? 0, diskFreeMiB };
  }

  [Symbol.dispose](): void {
    this.#closing.abort();
  }

  async #watch(driver: HealthOptions['drivers'][number]): Promise<void> {
    const { signal } = this.#closing;
    const everyMs = this.#options.diagnoseEveryMs ?? DIAGNOSE_EVERY_MS;
    while (!signal.aborted) {
      const diagnosis = await driver.diagnose();
      if (diagnosis.available) this.#failing.delete(driver.name);
      else this.#failing.set(driver.name, diagnosis);
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

/** Where the figures are not to be had they hinder nobody. */
function freeMiB(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return Math.floor((bavail * bsize) / 2 ** 20);
  } catch {
    return Number.MAX_SAFE_INTEGER;
  }
}

function hintOf(remedy: string | undefined): string {
  return remedy === undefined ? '' : ` (${remedy})`;
}
