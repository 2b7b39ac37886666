// A worker over HTTP and Redis whose sandboxes only sleep: `node sleeping-worker.ts <settings as JSON>`. SIGTERM ends it.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { version } from '#services/api/version.ts';
import { queuePrefix } from '#services/compose.ts';
import { createLog } from '#services/log.ts';
import { createBullQueue } from '#services/queue/bullmq.ts';
import { openContentCache } from '#services/worker/cache.ts';
import { describeWorker } from '#services/worker/description.ts';
import { createHttpClient } from '#services/worker/http-client.ts';
import { runStation } from '#services/worker/station.ts';
import { createSleepingDriver } from './sleeping-driver.ts';

export interface SleepingWorker {
  name: string;
  home: string;
  url: string;
  slots: number;
  /** Each job sleeps for a time between these, drawn by its id. */
  shortestMs: number;
  longestMs: number;
}

/** As likely as any other between the two, and the same for the same job. */
export function drawnMs(
  job: string,
  { shortestMs, longestMs }: Pick<SleepingWorker, 'shortestMs' | 'longestMs'>,
): number {
  let hash = 2_166_136_261;
  for (const letter of job) hash = Math.imul(hash ^ letter.charCodeAt(0), 16_777_619);
  hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_507);
  const share = ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
  return shortestMs + share * (longestMs - shortestMs);
}

if (import.meta.main) {
  const settings: SleepingWorker = JSON.parse(process.argv[2] ?? '{}');
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort(new Error('the bench is over')));
  const log = createLog('warn');
  const driver = createSleepingDriver((job) => drawnMs(job, settings));
  const cache = await openContentCache(join(settings.home, 'cache'));
  await using client = createHttpClient({ url: settings.url, token: undefined, cache });
  const own = { name: settings.name, slots: settings.slots, labels: [], gpus: [], gpuShare: 1, version };
  await runStation(
    {
      ...{ client, fleet: client, log },
      description: await describeWorker(
        { ...own, instance: randomUUID() },
        { process: driver, docker: driver, bubblewrap: driver },
      ),
      health: () => ({ unwell: null, load: 0, diskFreeMiB: 1_000_000 }),
      chooseDriver: async () => driver,
      openQueue: async ({ redisUrl, owner }) =>
        redisUrl === null ? null : await createBullQueue({ url: redisUrl, prefix: queuePrefix(owner), log }),
    },
    { stop: stop.signal, abandon: stop.signal },
  );
}
