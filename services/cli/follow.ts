import { setTimeout as sleep } from 'node:timers/promises';
import type { Event, RunId } from '#archive/schema.ts';
import { findRun } from '#services/api/find.ts';
import { type ProgressView, RunView } from '#services/api/schema.ts';
import { runView } from '#services/api/view.ts';
import type { Service } from '#services/compose.ts';
import { waitsForDisk } from '#services/scheduler/disk-pause.ts';
import { createLiveView } from './live-view.ts';
import type { ServiceClient } from './service-client.ts';
import type { Terminal } from './terminal.ts';
import { isOver } from './words.ts';

/** A run that can be looked at again and again, wherever it goes on. */
export interface RunSource extends Disposable {
  look(): Promise<{ run: RunView; progress: ProgressView[] }>;
  /** What happened since the last call. */
  news(): Event[];
  /** Whether nobody but this process could resume it. */
  readonly embedded: boolean;
}

const LOOK_EVERY_MS = 250;
/** Between the end of an event stream and the next try. */
const RETRY_MS = 1_000;

/** Said when a run in this process is interrupted. */
export const ENDING = 'Ending: work under way gets a few seconds. Ctrl-C again leaves at once.';

/** Shows a run until it is over (or paused with nobody to resume it), or until aborted. Returns it as it is then. */
export async function follow(
  source: RunSource,
  terminal: Terminal,
  { json, signal }: { json: boolean; signal: AbortSignal },
): Promise<RunView> {
  using view = createLiveView(terminal, { json });
  for (;;) {
    const { run, progress } = await source.look();
    const ends = isOver(run) || signal.aborted || (source.embedded && needsOperator(run));
    if (!signal.aborted) view.show({ run, progress, nowMs: Date.now() }, source.news());
    if (ends) return run;
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** A run of the service in this process. */
export function embeddedRun({ archive, scheduler }: Service, runId: RunId): RunSource {
  let seq = 0;
  return {
    embedded: true,
    look: async () => ({
      run: runView(archive, findRun(archive, runId), scheduler.figures(runId)),
      progress: scheduler.progress().filter((slot) => slot.runId === runId),
    }),
    news() {
      const events = archive.events.after({ runId, seq, limit: 1_000 });
      seq = events.at(-1)?.seq ?? seq;
      return events;
    },
    [Symbol.dispose]() {},
  };
}

/** A run of a service elsewhere. Its events are listened to again after every break; `look` tells when the service is gone. */
export function remoteRun(client: ServiceClient, runId: RunId): RunSource {
  const listening = new AbortController();
  const { signal } = listening;
  let progress: ProgressView[] = [];
  let events: Event[] = [];
  let afterSeq = 0;
  const listen = async (follow: boolean) => {
    for await (const one of client.events(runId, { afterSeq, follow, signal })) {
      if (one.kind === 'progress') progress = one.progress;
      else if (one.event.seq > afterSeq) {
        events.push(one.event);
        afterSeq = one.event.seq;
      }
    }
  };
  void again(() => listen(true), signal);
  return {
    embedded: false,
    async look() {
      const run = await client.get(`/v1/runs/${runId}`, RunView);
      // Nobody looks again at a run that is over, so its last news are fetched rather than waited for.
      if (isOver(run)) await listen(false).catch(() => undefined);
      return { run, progress };
    },
    news() {
      const news = events;
      events = [];
      return news;
    },
    [Symbol.dispose]: () => listening.abort(),
  };
}

/** Does something again and again, with a pause in between, whether it works or not, until aborted. */
async function again(step: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await step().catch(() => undefined);
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** A run that waits for disk space goes on by itself. */
function needsOperator(run: RunView): boolean {
  return run.state === 'paused' && !waitsForDisk(run);
}
