import { expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { beginTrial, createRun, temporaryDirectory } from './builders.ts';

it('a worker is remembered with what is desired of it, whichever of its processes comes', async () => {
  using directory = temporaryDirectory();
  {
    await using archive = await openArchive(directory.path);
    archive.workers.put({ name: 'b', instance: 'b-1', description: { slots: 2 } }, 1_000);
    archive.workers.put({ name: 'a', instance: 'a-1', description: {} }, 1_500);
    expect(archive.workers.setDesired('b', 'cordoned')).toBe(true);
    expect(archive.workers.setDesired('c', 'cordoned')).toBe(false);
    archive.workers.put({ name: 'b', instance: 'b-2', description: { slots: 4 } }, 2_000);
    archive.workers.seen('b', 3_000);
  }
  await using archive = await openArchive(directory.path);
  const b = { name: 'b', instance: 'b-2', description: { slots: 4 }, desired: 'cordoned', firstSeenMs: 1_000 };
  expect(archive.workers.get('b')).toEqual({ ...b, lastSeenMs: 3_000 });
  expect(archive.workers.list().map(({ name }) => name)).toEqual(['a', 'b']);
  archive.workers.left('b', 4_000);
  expect(archive.workers.get('b')).toEqual({ ...b, instance: '', lastSeenMs: 4_000 });
  archive.workers.forget('b');
  expect(archive.workers.get('b')).toBeNull();
});

it('where a job came back from is remembered until the run is forgiven: failures of the harness and ended leases alone', async () => {
  using directory = temporaryDirectory();
  await using archive = await openArchive(directory.path);
  const { id } = createRun(archive);
  const { jobId, epoch } = beginTrial(archive, { agent: `${id}-a1` });
  const back = (reason: string, infra: boolean) => ({ reason, infra, notBeforeMs: 0 });
  archive.jobs.release({ jobId, epoch }, back('no space left', true), 4_000);
  const second = archive.jobs.claim(jobId, 'w2', 60_000, 5_000)!;
  archive.jobs.release(second, back('shutting down', false), 6_000);
  archive.jobs.release(second, back('a stale lease', true), 6_500);
  archive.jobs.claim(jobId, 'w3', 60_000, 7_000);
  archive.jobs.expire(jobId, 8_000);
  expect(archive.jobs.failures(jobId)).toEqual([
    { worker: 'a worker', reason: 'no space left', at: 4_000 },
    { worker: 'w3', reason: 'its lease ended', at: 8_000 },
  ]);
  archive.jobs.forgive(id);
  expect(archive.jobs.failures(jobId)).toEqual([]);
});
