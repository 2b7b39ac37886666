import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Archive } from '#archive/archive.ts';
import { ModelCatalog } from '#services/gateway/models.ts';
import { createLog } from '#services/log.ts';
import { createMemoryQueue } from '#services/queue/memory.ts';
import { createDiskWatch } from '#services/scheduler/disk-watch.ts';
import { prepareRun } from '#services/scheduler/prepare-run.ts';
import { Scheduler } from '#services/scheduler/scheduler.ts';
import { SuiteShelf } from '#services/suite-shelf.ts';
import { newRun, type TestService, testService } from './service.ts';

const katas = join(import.meta.dirname, '..', '..', 'benchmarks', 'suites', 'katas');

/** The API over the real scheduler, but without a worker: runs begin as they do, and nothing comes of them. */
async function schedulingService(): Promise<TestService> {
  const parts = new DisposableStack();
  const service = await testService({
    createRun: (archive) => {
      const scheduler = parts.use(schedulerOver(archive));
      return (spec, key) => scheduler.createRun(spec, Date.now(), key);
    },
  });
  const end = async () => {
    parts.dispose();
    await service[Symbol.asyncDispose]();
  };
  return { ...service, [Symbol.asyncDispose]: end };
}

function schedulerOver(archive: Archive): Scheduler {
  const shelf = new SuiteShelf(archive.home);
  const needs = {
    archive,
    catalog: ModelCatalog.parse({}),
    openSuite: (name: string) => shelf.open(name),
    chooseSandbox: async () => ({ name: 'process' as const, isolates: false, hasImages: false }),
    seedDirectory: join(import.meta.dirname, '..', '..', 'archive', 'seed'),
  };
  return new Scheduler({
    archive,
    queue: createMemoryQueue(),
    disk: createDiskWatch(archive.home, 0),
    prepareRun: (spec) => prepareRun(spec, needs),
    clock: Date.now,
    log: createLog('silent'),
  });
}

function ask({ api }: TestService, payload: object, key?: string) {
  const headers = key === undefined ? {} : { 'idempotency-key': key };
  return api.inject({ method: 'POST', url: '/v1/runs', payload, headers });
}

it('the same key begins one run, also when asked twice at once', async () => {
  await using service = await testService();
  const [first, second] = await Promise.all([ask(service, { name: 'x' }, 'k1'), ask(service, { name: 'x' }, 'k1')]);
  expect(second.json().id).toBe(first.json().id);
  expect(first.headers['idempotency-replayed']).toBeUndefined();
  expect(second.headers['idempotency-replayed']).toBe('true');
  expect((await ask(service, { name: 'y' }, 'k1')).json()).toMatchObject({ status: 409, code: 'idempotency-conflict' });
  expect((await ask(service, { name: 'x' }, 'k2')).json().id).not.toBe(first.json().id);
  expect(service.archive.runs.list()).toHaveLength(2);
});

it('a creation that fails leaves its key free for the corrected spec', async () => {
  await using service = await schedulingService();
  expect((await ask(service, { suite: 'kata' }, 'k')).json()).toMatchObject({ status: 422, code: 'invalid-suite' });
  const corrected = await ask(service, { suite: 'katas' }, 'k');
  expect(corrected.statusCode).toBe(201);
  expect(corrected.headers['idempotency-replayed']).toBeUndefined();
  expect((await ask(service, { suite: 'katas' }, 'k')).json().id).toBe(corrected.json().id);
  expect(service.archive.runs.list()).toHaveLength(1);
});

it('of two requests at once of which the first fails, the second begins the run', async () => {
  await using service = await schedulingService();
  const [wrong, right] = await Promise.all([ask(service, { suite: 'kata' }, 'k'), ask(service, {}, 'k')]);
  expect([wrong.statusCode, right.statusCode]).toEqual([422, 201]);
});

it('a run that was begun without a key answers no later request with one', async () => {
  await using service = await schedulingService();
  const spec = { suite: 'mine' };
  expect((await ask(service, spec, 'k')).statusCode).toBe(422);
  cpSync(katas, join(service.archive.home, 'suites', 'mine'), { recursive: true });
  const without = await ask(service, spec);
  const withKey = await ask(service, spec, 'k');
  expect(withKey.statusCode).toBe(201);
  expect(withKey.json().id).not.toBe(without.json().id);
});

it('a key is stored with its run or not at all', async () => {
  await using service = await testService();
  const { archive } = service;
  const key = { keyDigest: 'k', specDigest: 's' };
  const { spec } = await newRun(archive);
  const seed = { commit: 'c', tree: 't', summary: 's' };
  const create = () =>
    archive.runs.create({ spec, suiteDigest: 'd', tasks: [], prices: {}, roots: [seed], key, nowMs: 1 });
  expect(() =>
    archive.transaction(() => {
      create();
      throw new Error('the power went');
    }),
  ).toThrow('the power went');
  expect(archive.runs.begunBy('k')).toBeNull();
  const { id } = create();
  expect(archive.runs.begunBy('k')).toMatchObject({ run: { id }, specDigest: 's' });
  expect(create).toThrow();
  expect(archive.runs.list()).toHaveLength(2);
});
