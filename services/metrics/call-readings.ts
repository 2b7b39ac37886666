import { setImmediate as turn } from 'node:timers/promises';
import type { Archive } from '#archive/archive.ts';
import type { CallFigure } from '#archive/figures.ts';
import type { Instruments } from './instruments.ts';

/** So many are read in a few milliseconds; then others have their turn. */
const PAGE = 2_000;

/** Counts the model calls that have ended, of those after `afterId`. */
export class CallReadings {
  readonly #to: Instruments;
  readonly #figures: Archive['figures'];
  /** Calls that were under way when last looked at. */
  readonly #open = new Set<number>();
  #id: number;

  constructor(to: Instruments, figures: Archive['figures'], afterId: number) {
    this.#to = to;
    this.#figures = figures;
    this.#id = afterId;
  }

  async read(): Promise<void> {
    for (let and = [...this.#open]; ; and = []) {
      const found = this.#figures.calls({ after: this.#id, and, limit: PAGE });
      const newest = Math.max(this.#id, ...found.map(({ id }) => id));
      const fresh = found.filter(({ id }) => id > this.#id).length;
      for (const call of found) this.#count(call);
      this.#id = newest;
      if (fresh < PAGE) break;
      await turn();
    }
    this.#to.callsOpen.set(this.#open.size);
  }

  #count({ id, model, state, replayed, latencyMs }: CallFigure): void {
    if (state === 'reserved' || state === 'sent') {
      this.#open.add(id);
      return;
    }
    this.#open.delete(id);
    this.#to.calls.inc({ model, outcome: replayed ? 'replayed' : state });
    if (latencyMs !== null) this.#to.callSeconds.observe({ model }, latencyMs / 1000);
  }
}
