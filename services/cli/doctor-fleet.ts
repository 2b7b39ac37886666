import { z } from 'zod';
import type { Config } from '#services/config.ts';
import { createLog } from '#services/log.ts';
import { createBullQueue } from '#services/queue/bullmq.ts';
import { WorkerView } from '#services/scheduler/worker-view.ts';
import { EMBEDDED } from '#services/worker/fleet.ts';
import type { Check } from './doctor.ts';
import { findService } from './service-client.ts';

/** Whether the Redis that is set can carry doorbells. */
export async function checkRedis({ redisUrl }: Config): Promise<Check[]> {
  if (redisUrl === null) return [];
  const check = { area: 'redis', name: 'CLADE_REDIS', ok: true, detail: 'carries doorbells', remedy: null } as const;
  try {
    await using queue = await createBullQueue({ url: redisUrl, prefix: 'clade:doctor', log: createLog('silent') });
    const { why } = queue.health();
    if (why === null) return [check];
    const remedy = 'Until it answers, workers ask control for jobs, which is slower. Start it, or correct CLADE_REDIS.';
    return [{ ...check, ok: false, detail: why, remedy }];
  } catch (error) {
    return [{ ...check, ok: false, detail: error instanceof Error ? error.message : String(error) }];
  }
}

/** The workers of the service that runs here, if one does: each that should take jobs and does not, with the reason. */
export async function checkFleet(config: Config): Promise<Check[]> {
  const client = await findService(config);
  if (client === null) return [];
  try {
    const workers = await client.get('/v1/workers', z.array(WorkerView), AbortSignal.timeout(5_000));
    return workers.flatMap((worker) => (worker.name === EMBEDDED ? [] : [workerCheck(worker)]));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return [{ area: 'worker', name: 'workers', ok: false, detail, remedy: null }];
  }
}

function workerCheck({ name, state, unwell, busy, slots, lastHeardMs }: WorkerView): Check {
  const check = {
    area: 'worker',
    name,
    ok: true,
    detail: `${state}, ${busy} of ${slots} slots busy`,
    remedy: null,
  } as const;
  const since = new Date(lastHeardMs).toISOString();
  if (state === 'unwell') return { ...check, ok: false, detail: `takes no jobs: ${unwell}` };
  if (state === 'away')
    return {
      ...check,
      ok: false,
      detail: `not heard of since ${since}`,
      remedy: `Start it again, or "clade workers remove ${name}" if it is not coming back.`,
    };
  return state === 'left' ? { ...check, detail: `left at ${since}` } : check;
}
