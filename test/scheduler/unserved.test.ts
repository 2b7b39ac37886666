import { describe, expect, it } from 'vitest';
import { type Archive, openArchive } from '#archive/archive.ts';
import { type RunId, RunSpec } from '#archive/schema.ts';
import { jobsAtOnce } from '#services/resource-class.ts';
import { type Supplier, UnservedWatch } from '#services/scheduler/unserved.ts';
import { id, temporaryDirectory } from '#test/archive/builders.ts';
import { aGpu } from '#test/worker/stand-in-gpus.ts';

const h100 = { name: 'big', gpus: [aGpu('GPU-h')] };
const t4 = { name: 'small', gpus: [aGpu('GPU-t', { model: 'Tesla T4', memoryMiB: 15_360 })] };
const plain = { name: 'plain', gpus: [] };

describe('a run of which no worker can do some jobs', () => {
  it('says so once, and again when what there is has changed', async () => {
    await using watched = await aRun({ tasks: { a: 'gpu-1x24', b: 'gpu-2x80-h100' }, proposals: 'gpu-1x24' }, [plain]);
    watched.look();
    watched.look();
    expect(watched.said()).toEqual([
      'warning no-worker: No worker can give 1 GPU of 24 GiB for a, proposals (class gpu-1x24), nor 2 GPUs of 80 GiB (h100) ' +
        'for b (class gpu-2x80-h100); none has a GPU in service. These jobs wait until one can.',
    ]);
    watched.workers = [plain, { ...plain, name: 'another' }];
    watched.look();
    expect(watched.said()).toHaveLength(1);
    watched.workers = [t4];
    watched.look();
    expect(watched.said().at(-1)).toContain('; worker small has 1 × Tesla T4 (15.0 GiB). These jobs wait');
    watched.workers = [t4, h100];
    watched.look();
    expect(watched.said().at(-1)).toMatch(
      /No worker can give 2 GPUs of 80 GiB \(h100\) for b .*worker big has 1 × NVIDIA/,
    );
    watched.workers = [{ ...h100, gpus: [...h100.gpus, aGpu('GPU-2')] }];
    watched.look();
    watched.look();
    expect(watched.said()).toHaveLength(4);
    expect(watched.said().at(-1)).toBe('info worker-found: All its jobs can be done by some worker now.');
  });

  it('says that nobody works at all, but not before workers had time to come', async () => {
    await using watched = await aRun({}, []);
    watched.look();
    expect(watched.said()).toEqual([]);
    watched.nowMs += 20_000;
    watched.look();
    expect(watched.said()).toEqual([
      'warning no-worker: No worker takes jobs now; all of its jobs wait until one does.',
    ]);
    watched.workers = [plain];
    watched.look();
    expect(watched.said()).toHaveLength(2);
  });

  it('says nothing while it rests, nor when all is well', async () => {
    await using watched = await aRun({ tasks: { a: 'gpu-1' } }, [h100]);
    watched.look();
    watched.archive.runs.setState(watched.runId, 'paused', null, 1);
    watched.workers = [plain];
    watched.look();
    expect(watched.said()).toEqual([]);
  });
});

it('the archive knows which classes are needed by runs that go on', async () => {
  await using watched = await aRun({ tasks: { a: 'gpu-1', b: 'gpu-2' }, proposals: 'gpu-1' }, []);
  expect(watched.archive.runs.classesNeeded()).toEqual(new Set(['gpu-1', 'gpu-2']));
  expect(watched.archive.runs.resources(watched.runId)).toEqual({
    tasks: { a: 'gpu-1', b: 'gpu-2' },
    proposals: 'gpu-1',
  });
  watched.archive.runs.setState(watched.runId, 'paused', null, 1);
  expect(watched.archive.runs.classesNeeded()).toEqual(new Set());
});

interface Watched extends AsyncDisposable {
  archive: Archive;
  runId: RunId;
  workers: readonly Supplier[];
  nowMs: number;
  look(): void;
  said(): string[];
}

/** A run whose jobs need these classes, and whoever could do them. */
async function aRun(resources: object, workers: readonly Supplier[]): Promise<Watched> {
  const directory = temporaryDirectory();
  const archive = await openArchive(directory.path, { create: true });
  const root = { commit: id('commit 1'), tree: id('tree 1'), summary: 'The seed agent' };
  const start = { suiteDigest: 'd', tasks: ['a', 'b'], resources, prices: {}, roots: [root], nowMs: 1_000 };
  const { id: runId } = archive.runs.create({ spec: RunSpec.parse({}), ...start });
  const watched: Watched = {
    ...{ archive, runId, workers, nowMs: 1_000 },
    look: () => watch.look([runId]),
    said: () =>
      archive.events
        .after({ runId, seq: 0 })
        .flatMap(({ data }) => (data.kind === 'notice' ? [`${data.level} ${data.code}: ${data.message}`] : [])),
    async [Symbol.asyncDispose]() {
      await archive[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
  const watch = new UnservedWatch({
    archive,
    clock: () => watched.nowMs,
    supply: {
      working: () => watched.workers,
      canServe: (name, { resourceClass }) =>
        jobsAtOnce(resourceClass, watched.workers.find((worker) => worker.name === name)?.gpus ?? []) > 0,
    },
  });
  return watched;
}
