import { expect, it } from 'vitest';
import { DiskFull } from '#archive/errors.ts';
import { type JobResult, RunSpec } from '#archive/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import { createLog } from '#services/log.ts';
import { createMemoryQueue } from '#services/queue/memory.ts';
import type { ClaimedJob, ControlClient } from '#services/worker/control-client.ts';
import { work } from '#services/worker/worker.ts';
import { aTask } from '#test/benchmarks/a-task.ts';
import { idleDriver } from '#test/scheduler/house.ts';

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
  spec: RunSpec.parse({}),
  owner: 'o',
  agent: { id: 'r000000-a1', tree: 'tree' },
  task: aTask(),
  model: 'm',
};

function aWorker(client: ControlClient) {
  const [stop, abandon] = [new AbortController(), new AbortController()];
  const queue = createMemoryQueue();
  const options = {
    name: 'w',
    client,
    queue,
    chooseDriver: async () => idleDriver,
    slots: 1,
    log: createLog('silent'),
  };
  const working = work(options, { stop: stop.signal, abandon: abandon.signal });
  void queue.ring({ jobId: 'r000000-t1', resourceClass: 'cpu' });
  return {
    working,
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      abandon.abort();
      await working;
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 20) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('waited 30 s in vain');
}
