import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { RunSpec } from '#archive/schema.ts';
import { createLog } from '#services/log.ts';
import { createMemoryQueue } from '#services/queue/memory.ts';
import type { ClaimedJob, ControlClient } from '#services/worker/control-client.ts';
import type { FleetClient, Heartbeat, Orders } from '#services/worker/fleet.ts';
import { GpuPool } from '#services/worker/gpus-pool.ts';
import { runStation, type StationOptions } from '#services/worker/station.ts';
import { type JobOptions, workOn } from '#services/worker/worker.ts';
import { aTask } from '#test/benchmarks/a-task.ts';
import { aWorker } from '#test/fleet/workers.ts';
import { idleDriver } from '#test/scheduler/house.ts';
import { aGpu } from './stand-in-gpus.ts';

it('a job that waits for a GPU takes no slot, and no job: others have both meanwhile', async () => {
  await using worker = aGpuWorker();
  const held = await worker.pool.lease({ gpus: 1, memoryGiB: 0, models: [] }, worker.signal);
  worker.ring('r000000-t1', 'gpu-1');
  await worker.beaten();
  worker.ring('r000000-t2', 'cpu');
  await until(() => worker.asked.includes('r000000-t2'));
  expect(worker.asked).not.toContain('r000000-t1');
  held[Symbol.dispose]();
  await until(() => worker.asked.includes('r000000-t1'));
});

it('tells control which GPUs it does not use, and why', async () => {
  await using worker = aGpuWorker();
  expect((await worker.beaten()).gpusOut).toEqual([]);
  const held = await worker.pool.lease({ gpus: 1, memoryGiB: 0, models: [] }, worker.signal);
  worker.look.memoryUsedMiB = 9_000;
  held[Symbol.dispose]();
  await until(() => worker.pool.outOfService().length > 0);
  expect((await worker.beaten()).gpusOut).toEqual([
    { uuid: 'GPU-a', reason: 'left behind: 8996 MiB in use that were free before' },
  ]);
});

it('gives a job back, untouched, that it took without the GPUs that its task needs', async () => {
  const job: ClaimedJob = {
    ...{
      kind: 'trial',
      lease: { jobId: 'r000000-t1', epoch: 1 },
      leaseMs: 60_000,
      runId: 'r000000',
      owner: 'o',
      model: 'm',
    },
    spec: RunSpec.parse({ allowUnsandboxed: true }),
    agent: { id: 'r000000-a1', tree: 'tree' },
    task: aTask({ resources: { gpus: 2 } }),
  };
  const released: string[] = [];
  const release: ControlClient['release'] = async (_lease, reason, infra) => void released.push(`${reason}, ${infra}`);
  const client = { claim: async () => job, renew: async () => true, release } as Partial<ControlClient>;
  const options: JobOptions = {
    // Nothing else is asked of it: the job is given back before it begins.
    ...{ name: 'w', client: client as ControlClient, log: createLog('silent') },
    chooseDriver: async () => idleDriver,
  };
  const never = new AbortController().signal;
  const worked = await workOn({ jobId: 'r000000-t1', resourceClass: 'cpu' }, options, { stop: never, abandon: never });
  expect(worked).toMatchObject({ kind: 'failed' });
  expect(released).toEqual(['it needs 2 GPUs and was taken with 0, true']);
});

/** A worker with one slot and one GPU, of a control that knows of jobs and has none of them any more. */
function aGpuWorker() {
  const stop = new AbortController();
  const look = { memoryUsedMiB: 4, processes: [] };
  const pool = new GpuPool({
    gpus: [aGpu('GPU-a')],
    look: async () => new Map([['GPU-a', { ...look }]]),
    patience: { graceMs: 2, soonMs: 1, laterMs: 1 },
  });
  const orders: Orders = {
    desired: 'active',
    classes: [
      { name: 'cpu', slots: 1 },
      { name: 'gpu-1', slots: 1 },
    ],
    hints: [],
    over: [],
  };
  const beats: Heartbeat[] = [];
  const fleet: FleetClient = {
    join: async () => ({ owner: 'o', heartbeatMs: 20, redisUrl: null, orders }),
    beat: async (_name, heartbeat) => {
      beats.push(heartbeat);
      return orders;
    },
    leave: async () => {},
  };
  const asked: string[] = [];
  const claim: ControlClient['claim'] = async (jobId) => {
    asked.push(jobId);
    return null;
  };
  const queue = createMemoryQueue();
  const options: StationOptions = {
    description: aWorker({ slots: 1, gpus: pool.all() }),
    fleet,
    // Nothing but claims is asked of it, since it has no job to give.
    client: { claim } as ControlClient,
    gpus: pool,
    openQueue: async () => ({ ...queue, hint: () => {} }),
    chooseDriver: async () => idleDriver,
    health: () => ({ unwell: null, load: 0, diskFreeMiB: 9_000 }),
    log: createLog('silent'),
  };
  const working = runStation(options, { stop: stop.signal, abandon: stop.signal });
  return {
    pool,
    look,
    asked,
    signal: stop.signal,
    ring: (jobId: `r000000-t${number}`, resourceClass: string) => void queue.ring({ jobId, resourceClass }),
    /** The next heartbeat. */
    async beaten(): Promise<Heartbeat> {
      const before = beats.length;
      await until(() => beats.length > before + 1);
      return beats.at(-1)!;
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the test is over'));
      await working;
      await pool[Symbol.asyncDispose]();
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 10) {
    if (holds()) return;
    await sleep(10);
  }
  throw new Error('waited 30 s in vain');
}
