import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Archive } from '#archive/archive.ts';
import { version } from '#services/api/version.ts';
import { readArchive } from './archive-readings.ts';
import { CallReadings } from './call-readings.ts';
import { EventReadings } from './event-readings.ts';
import { createInstruments, type Instruments } from './instruments.ts';

/** Gauges that are named like counters, of little use besides. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** A worker as it counts here. */
export interface WorkerFigure {
  name: string;
  /** Null: without bound. */
  slots: number | null;
  /** One word, such as `active`, `cordoned`, `unwell`, `gone`. */
  state: string;
}

export interface MetricsDependencies {
  archive: Pick<Archive, 'figures' | 'events' | 'home'>;
  /** The workers that control knows now. */
  workers?: () => readonly WorkerFigure[];
  /** Whether doorbells get through; absent without Redis. */
  redisIsUp?: () => boolean;
}

export interface Metrics {
  readonly contentType: string;
  /** All figures as they are now. Those asked for at the same time get the same. */
  text(): Promise<string>;
}

/** What is counted begins now; what the archive sums up is of its whole life. */
export function createMetrics(deps: MetricsDependencies): Metrics {
  const { archive } = deps;
  const registry = new Registry();
  // The event loop's lag, memory, CPU and open files of this process, under the names that Node's dashboards know.
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const to = createInstruments(registry);
  to.buildInfo.set({ version }, 1);
  const since = archive.figures.newest();
  const events = new EventReadings(to, archive.events, since.seq);
  const calls = new CallReadings(to, archive.figures, since.callId);
  const read = async () => {
    await events.read();
    await calls.read();
    await readArchive(to, archive);
    readSurroundings(to, deps);
    return await registry.metrics();
  };
  let underWay: Promise<string> | null = null;
  return {
    contentType: registry.contentType,
    text: () => {
      underWay ??= read().finally(() => {
        underWay = null;
      });
      return underWay;
    },
  };
}

function readSurroundings(to: Instruments, { workers, redisIsUp }: MetricsDependencies): void {
  to.workers.reset();
  to.workerSlots.reset();
  for (const { name, slots, state } of workers?.() ?? []) {
    to.workers.inc({ state });
    if (slots !== null) to.workerSlots.set({ worker: name }, slots);
    // Zero for those that hold no job.
    to.workerJobs.inc({ worker: name }, 0);
  }
  if (redisIsUp === undefined) to.redisUp.remove();
  else to.redisUp.set(redisIsUp() ? 1 : 0);
}
