import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseDriver, createDrivers } from '#sandbox/drivers.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { version } from './api/version.ts';
import { queuePrefix } from './compose.ts';
import type { Config } from './config.ts';
import { CladeError } from './errors.ts';
import { createLog } from './log.ts';
import { createBullQueue } from './queue/bullmq.ts';
import { openContentCache } from './worker/cache.ts';
import { describeWorker } from './worker/description.ts';
import type { WorkerDescription } from './worker/fleet.ts';
import { type GpuChoice, openGpus } from './worker/gpus.ts';
import { HealthWatch } from './worker/health.ts';
import { withHealthFile } from './worker/health-file.ts';
import { createHttpClient } from './worker/http-client.ts';
import { Remains } from './worker/remains.ts';
import { runStation, type StationEnd, type StationOptions } from './worker/station.ts';
import type { WorkerSignals } from './worker/worker.ts';

/** What an operator says of a worker. */
export interface WorkerSetup {
  name: string;
  slots: number;
  labels: string[];
  gpus: GpuChoice;
  /** Written anew whenever control has answered, for whoever watches over the process. */
  healthFile?: string | undefined;
  /** Told, in words for the operator, what changes between it and control. */
  onNews: (text: string) => void;
}

/** A worker that is ready to come. */
export interface Worker extends AsyncDisposable {
  readonly description: WorkerDescription;
  /** Works until stopped, drained or removed. @throws CladeError with control's reason for not letting it in (any more). */
  run(signals: WorkerSignals): Promise<StationEnd>;
}

/**
 * A worker of a control elsewhere: no archive, nothing that must not be lost. Its home holds caches.
 * @throws CladeError `sandbox-unavailable` when it has no sandbox to run anything in; `unwritable`.
 */
export async function composeWorker(config: Config & { controlUrl: string }, setup: WorkerSetup): Promise<Worker> {
  await using opening = new AsyncDisposableStack();
  const log = createLog(config.logLevel);
  await mkdir(config.home, { recursive: true }).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CladeError('unwritable', `${config.home} cannot be made: ${why}. Choose another place with --home.`);
  });
  const drivers = createDrivers({ images: config.images });
  const { name, slots, labels } = setup;
  const pool = opening.use(await openGpus(setup.gpus, setup.onNews));
  const gpus = { gpus: pool.all(), gpuShare: pool.share };
  const own = { name, slots, labels, ...gpus, version, instance: randomUUID() };
  const description = await describeWorker(own, drivers);
  const usable = Object.values(drivers).filter((driver) => has(description, driver.name));

  const cache = await openContentCache(join(config.home, 'cache'));
  const client = opening.use(createHttpClient({ url: config.controlUrl, token: config.tokens.worker, cache }));
  const health = opening.use(new HealthWatch({ home: config.home, minFreeMiB: config.minFreeMiB, drivers: usable }));
  const remains = opening.use(new Remains({ drivers: usable, log }));
  const fleet = setup.healthFile === undefined ? client : withHealthFile(client, setup.healthFile);
  const options: StationOptions = {
    ...{ description, client, fleet, egress: config.egress, remains, gpus: pool, log, onNews: setup.onNews },
    health: () => health.look(),
    // Asked anew each time: what was there may have gone, and a job must not get something weaker than the run allows.
    chooseDriver: (wanted: 'auto' | DriverName, signal) => chooseDriver(wanted, drivers, signal),
    async openQueue({ redisUrl, owner }) {
      const url = config.redisUrl ?? redisUrl;
      return url === null ? null : createBullQueue({ url, prefix: queuePrefix(owner), log });
    },
  };
  const parts = opening.move();
  return {
    description,
    run: (signals) => runStation(options, signals),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function has({ drivers }: WorkerDescription, name: DriverName): boolean {
  return drivers.some((driver) => driver.name === name && driver.available);
}
