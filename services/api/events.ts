import type { Archive } from '#archive/archive.ts';
import type { Event, RunId } from '#archive/schema.ts';
import type { RunControl } from './deps.ts';

const PAGE = 500;

export interface EventStreamOptions {
  runId: RunId;
  /** Events up to this one are left out. */
  afterSeq: number;
  /** False: end after the last event there is. */
  follow: boolean;
  heartbeatMs: number;
  /** Ends the stream. */
  signal: AbortSignal;
}

/**
 * A run's events as text of `text/event-stream`, oldest first, then live. Stored events carry their number as id, so that a
 * client resumes by `Last-Event-ID`; what slots do now comes as `progress` without one. Nothing is read before it is asked
 * for, so a slow client costs no memory: it skips progress, and never an event.
 */
export async function* eventStream(
  { events }: Pick<Archive, 'events'>,
  scheduler: Pick<RunControl, 'progress' | 'onProgress'>,
  { runId, afterSeq, follow, heartbeatMs, signal }: EventStreamOptions,
): AsyncGenerator<string> {
  using changes = new Changes(events, scheduler, signal);
  let seq = afterSeq;
  let shown = '';
  yield 'retry: 1000\n\n';
  while (!signal.aborted) {
    const page = events.after({ runId, seq, limit: PAGE });
    seq = page.at(-1)?.seq ?? seq;
    if (page.length > 0) yield page.map(eventText).join('');
    if (page.length === PAGE) continue;
    const progress = JSON.stringify(scheduler.progress().filter((slot) => slot.runId === runId));
    if (progress !== shown) yield `event: progress\ndata: ${progress}\n\n`;
    shown = progress;
    if (!follow) return;
    if ((await changes.next(heartbeatMs)) === 'timeout') yield ': still here\n\n';
  }
}

function eventText(event: Event): string {
  return `id: ${event.seq}\nevent: ${event.data.kind}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Remembers whether anything changed since it was last asked. */
class Changes implements Disposable {
  #changed = false;
  #wake: () => void = () => undefined;
  readonly #stops: (() => void)[];

  constructor(events: Archive['events'], scheduler: Pick<RunControl, 'onProgress'>, signal: AbortSignal) {
    const ring = () => {
      this.#changed = true;
      this.#wake();
    };
    signal.addEventListener('abort', ring, { once: true });
    this.#stops = [events.onAppend(ring), scheduler.onProgress(ring), () => signal.removeEventListener('abort', ring)];
  }

  /** Waits for the next change, or for the time to pass. */
  async next(timeoutMs: number): Promise<'changed' | 'timeout'> {
    if (!this.#changed) await this.#ring(timeoutMs);
    const result = this.#changed ? 'changed' : 'timeout';
    this.#changed = false;
    return result;
  }

  #ring(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }
}
