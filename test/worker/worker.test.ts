import { expect, it } from 'vitest';
import { DiskFull } from '#archive/errors.ts';
import { type JobResult, RunSpec } from '#archive/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import { createLog } from '#services/log.ts';
import { createMemoryQueue } from '#services/queue/memory.ts';
import { ControlAway } from '#services/worker/control-away.ts';
import type { ClaimedJob, ControlClient } from '#services/worker/control-client.ts';
import type { JobOptions } from '#services/worker/worker.ts';
import { aTask } from '#test/benchmarks/a-task.ts';
import { awaitedDriver, idleDriver, workFrom } from '#test/scheduler/house.ts';

it('hands a result in again and again while the disk of control is full', async () => {
  const disk = { full: true };
  const client = aClient(async () => {
    if (disk.full) throw new DiskFull('no room');
    return true;
  });
  await using _working = aWorker(client);
  await until(() => client.completed.length >= 3);
  disk.full = false;
  const tried = client.completed.length;
  await until(() => client.completed.length > tried);
  expect(client.completed.every(({ kind, outcome }) => kind === 'trial' && outcome === 'crashed')).toBe(true);
  expect(client.released).toEqual([]);
});

it('lets go of a result once its lease is lost, however long the disk of control stays full', async () => {
  const client = aClient(async () => {
    throw new DiskFull('no room');
  });
  await using worker = aWorker(client);
  await until(() => client.completed.length >= 2);
  client.isLeased = false;
  worker.stop();
  await worker.working;
  expect(client.released).toEqual([]);
});

it.each([
  ['says nothing', () => new Promise<boolean>(() => {})],
  ['cannot be reached', async () => Promise.reject(new ControlAway('Control does not answer.'))],
])('ends a job when control %s for longer than the lease', { timeout: 60_000 }, async (_how, renew) => {
  const driver = awaitedDriver();
  const client = aClient(async () => true);
  client.renew = renew;
  const begun = Promise.withResolvers<AbortSignal>();
  await using worker = aWorker(client, (wanted, signal) => {
    begun.resolve(signal);
    return driver.choose(wanted, signal);
  });
  const signal = await begun.promise;
  worker.stop();
  await worker.working;
  expect(signal.reason.message).toMatch(/the lease on r000000-t1 has ended: control was not heard for 300 ms/);
  expect([client.completed, client.released]).toEqual([[], []]);
});

it('keeps a job while control is away for less than the lease, and hands the result in once it is back', async () => {
  const control = { isAway: true };
  const client = aClient(async () => {
    if (control.isAway) throw new ControlAway('Control does not answer.');
    return true;
  });
  await using worker = aWorker(client);
  await until(() => client.completed.length >= 6);
  control.isAway = false;
  const tried = client.completed.length;
  await until(() => client.completed.length > tried);
  worker.stop();
  await worker.working;
  expect(client.released).toEqual([]);
});

/** Control with one trial to do, whose agent cannot be started. */
function aClient(complete: () => Promise<boolean>): AClient {
  const client: AClient = {
    isLeased: true,
    completed: [],
    released: [],
    claim: async () => job,
    renew: async () => client.isLeased,
    source: async () => packTar([]),
    stage: async () => ({ rejected: 'empty' as const, detail: '' }),
    model: async () => new Response(null, { status: 503 }),
    report: () => {},
    complete: async (_lease, result) => {
      client.completed.push(result);
      return complete();
    },
    release: async (_lease, reason) => void client.released.push(reason),
  };
  return client;
}

interface AClient extends ControlClient {
  isLeased: boolean;
  completed: JobResult[];
  /** Reasons. */
  released: string[];
}

const job: ClaimedJob = {
  kind: 'trial',
  lease: { jobId: 'r000000-t1', epoch: 1 },
  leaseMs: 300,
  runId: 'r000000',
  spec: RunSpec.parse({ allowUnsandboxed: true }),
  owner: 'o',
  agent: { id: 'r000000-a1', tree: 'tree' },
  task: aTask(),
  model: 'm',
};

function aWorker(client: ControlClient, chooseDriver: JobOptions['chooseDriver'] = async () => idleDriver) {
  const queue = createMemoryQueue();
  const worker = workFrom(queue, { client, chooseDriver, log: createLog('silent') }, 1);
  void queue.ring({ jobId: 'r000000-t1', resourceClass: 'cpu' });
  return worker;
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 20) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('waited 30 s in vain');
}
