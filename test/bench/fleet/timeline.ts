import { openArchive } from '#archive/archive.ts';
import type { Event, JobId, RunId } from '#archive/schema.ts';

/** One stay of a job with a worker. Times are milliseconds since the epoch. */
export interface Stay {
  job: JobId;
  readyMs: number;
  claimedMs: number;
  endedMs: number;
}

/** All events of a run, oldest first. */
export async function eventsOf(home: string, runId: RunId): Promise<Event[]> {
  await using archive = await openArchive(home, { readOnly: true });
  const events: Event[] = [];
  for (;;) {
    const more = archive.events.after({ runId, seq: events.at(-1)?.seq ?? 0 });
    if (more.length === 0) return events;
    events.push(...more);
  }
}

/** When each trial was there to be had, was taken, and had its result, for those that were taken once. */
export function staysOf(events: readonly Event[]): Stay[] {
  const ready = new Map<string, number>();
  const claimed = new Map<string, number>();
  const stays: Stay[] = [];
  for (const { at, data } of events) {
    if (data.kind === 'trial-begun') ready.set(data.trial, at);
    if (data.kind === 'job-claimed') claimed.set(data.job, at);
    const [readyMs, claimedMs] =
      data.kind === 'trial-settled' ? [ready.get(data.trial), claimed.get(data.trial)] : [undefined, undefined];
    if (data.kind === 'trial-settled' && readyMs !== undefined && claimedMs !== undefined)
      stays.push({ job: data.trial, readyMs, claimedMs, endedMs: at });
  }
  return stays;
}

/** Share of the slots' time between two moments in which they had a job. */
export function busyShare(stays: readonly Stay[], slots: number, fromMs: number, untilMs: number): number {
  const busyMs = stays.reduce(
    (sum, { claimedMs, endedMs }) => sum + Math.max(0, Math.min(endedMs, untilMs) - Math.max(claimedMs, fromMs)),
    0,
  );
  return busyMs / (slots * (untilMs - fromMs));
}

/** The same work in generations: as many jobs as slots begin together, and the next when the last of them has ended. */
export function busyShareOfGenerations(stays: readonly Stay[], slots: number): number {
  let busyMs = 0;
  let wallMs = 0;
  for (let from = 0; from + slots <= stays.length; from += slots) {
    const lengths = stays.slice(from, from + slots).map(({ claimedMs, endedMs }) => endedMs - claimedMs);
    busyMs += lengths.reduce((sum, ms) => sum + ms, 0);
    wallMs += slots * Math.max(...lengths);
  }
  return busyMs / wallMs;
}

/** The value that this share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
