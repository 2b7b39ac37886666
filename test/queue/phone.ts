import { Writable } from 'node:stream';
import { pino } from 'pino';
import { expect } from 'vitest';
import { type BullQueue, createBullQueue } from '#services/queue/bullmq.ts';
import type { Doorbell } from '#services/queue/queue.ts';

export const PREFIX = 'clade:test';

export interface Phone extends AsyncDisposable {
  queue: BullQueue;
  /** Lines of the log, as `level: message`. */
  log: string[];
}

/** A queue whose log can be read. */
export async function openPhone(url: string): Promise<Phone> {
  const log: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      const { level, msg } = JSON.parse(String(chunk)) as { level: number; msg: string };
      log.push(`${pino.levels.labels[level]}: ${msg}`);
      done();
    },
  });
  const queue = await createBullQueue({ url, prefix: PREFIX, log: pino({ level: 'info' }, sink) });
  return { queue, log, [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose]() };
}

export interface Listener extends AsyncDisposable {
  /** Job ids, as often as they were heard. */
  heard: string[];
}

/** Listens until it is disposed of. */
export function listenTo(queue: BullQueue, slots = 4, handle: () => Promise<void> = async () => {}): Listener {
  const stop = new AbortController();
  const heard: string[] = [];
  const handler = async ({ jobId }: Doorbell) => {
    heard.push(jobId);
    await handle();
  };
  const listening = queue.listen(handler, { resourceClass: 'cpu', slots, signal: stop.signal });
  return {
    heard,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await listening;
    },
  };
}

export function bell(n: number): Doorbell {
  return { jobId: `rabcdef-t${n}`, resourceClass: 'cpu' };
}

export function bells(count: number): Doorbell[] {
  return Array.from({ length: count }, (_, index) => bell(index + 1));
}

export async function ringAll(queue: BullQueue, doorbells: readonly Doorbell[]): Promise<void> {
  for (const doorbell of doorbells) await queue.ring(doorbell);
}

/** Rings for every job again and again, as the scheduler does, until each was heard. */
export async function ringUntilHeard(queue: BullQueue, doorbells: readonly Doorbell[], { heard }: Listener) {
  await until(async () => {
    const missing = doorbells.filter(({ jobId }) => !heard.includes(jobId));
    await ringAll(queue, missing);
    return missing.length === 0;
  }, 300);
}

export async function until(holds: () => boolean | Promise<boolean>, interval = 20): Promise<void> {
  await expect.poll(holds, { timeout: 120_000, interval }).toBe(true);
}
