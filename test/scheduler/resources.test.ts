import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { RunSpec } from '#archive/schema.ts';
import { readConfig } from '#services/config.ts';
import { ModelCatalog } from '#services/gateway/models.ts';
import { type PrepareDependencies, prepareRun } from '#services/scheduler/prepare-run.ts';
import { canServe } from '#services/scheduler/serving.ts';
import { temporaryDirectory } from '#test/archive/builders.ts';
import { aTask } from '#test/benchmarks/a-task.ts';
import { aWorker } from '#test/fleet/workers.ts';
import { aGpu } from '#test/worker/stand-in-gpus.ts';

const tasks = [
  aTask({ id: 'hard', abilities: ['search'] }),
  aTask({ id: 'kernel', resources: { gpus: 1, gpuMemoryGiB: 24 }, abilities: [] }),
  aTask({ id: 'pair', resources: { gpus: 2, gpuModel: 'H100' }, abilities: ['search'] }),
];

async function prepared(spec: object, sandbox: Awaited<ReturnType<PrepareDependencies['chooseSandbox']>>) {
  using directory = temporaryDirectory();
  await using archive = await openArchive(directory.path);
  return await prepareRun(RunSpec.parse(spec), {
    archive,
    catalog: ModelCatalog.parse({}),
    openSuite: async () => ({ name: 's', title: 'S', digest: 'd', tasks, excluded: [] }),
    chooseSandbox: async () => sandbox,
    seedDirectory: join(import.meta.dirname, '..', '..', 'archive', 'seed'),
  });
}

const docker = { name: 'docker', isolates: true, hasImages: true } as const;
const bubblewrap = { name: 'bubblewrap', isolates: true, hasImages: false } as const;

describe('the jobs of a run', () => {
  it('need what their tasks do, and proposals what the smoke task does', async () => {
    const byTask = { kernel: 'gpu-1x24', pair: 'gpu-2-h100' };
    expect((await prepared({}, docker)).resources).toEqual({ tasks: byTask, proposals: 'gpu-1x24' });
    expect((await prepared({ smokeTask: 'hard' }, docker)).resources).toEqual({ tasks: byTask });
    expect((await prepared({ tasks: ['hard'] }, docker)).resources).toEqual({});
  });

  it('are refused before the run begins where no sandbox hands out GPUs', async () => {
    await expect(prepared({}, bubblewrap)).rejects.toThrow(
      'These tasks need GPUs, and the bubblewrap sandbox hands out none: kernel, pair. Use the docker sandbox',
    );
    expect((await prepared({ tasks: ['hard'] }, bubblewrap)).tasks).toEqual(['hard']);
  });
});

describe('a worker can do jobs that need GPUs', () => {
  const having = (...available: string[]) =>
    ['docker', 'bubblewrap'].map((name) => ({ name, available: available.includes(name), detail: '' }));
  const run = { spec: RunSpec.parse({}), prices: {} };

  it('with such GPUs and a sandbox that hands them out', () => {
    const worker = aWorker({ gpus: [aGpu('GPU-a')], drivers: having('docker', 'bubblewrap') });
    expect(canServe(worker, run, 'gpu-1x80-h100')).toBe(true);
    expect(canServe(worker, run, 'gpu-2')).toBe(false);
    expect(canServe({ ...worker, gpuShare: 2 }, run, 'gpu-1x80')).toBe(false);
    const without = aWorker({ gpus: [aGpu('GPU-a')], drivers: having('bubblewrap') });
    expect(canServe(without, run, 'gpu-1')).toBe(false);
    expect(canServe(without, run, 'cpu')).toBe(true);
  });
});

describe('CLADE_GPUS and CLADE_GPU_SHARE', () => {
  it('say which GPUs work may use, by default all and each for one sandbox', () => {
    expect(readConfig({}).gpus).toEqual({ wanted: 'all', share: 1 });
    expect(readConfig({ CLADE_GPUS: 'none' }).gpus.wanted).toBe('none');
    const some = readConfig({ CLADE_GPUS: '0,GPU-8f4a-11', CLADE_GPU_SHARE: '2' }, { gpuShare: 3 });
    expect(some.gpus).toEqual({ wanted: ['0', 'GPU-8f4a-11'], share: 3 });
  });

  it.each(['0,', 'first', 'GPU-a;GPU-b'])('cannot be %j', (text) => {
    expect(() => readConfig({ CLADE_GPUS: text })).toThrow('CLADE_GPUS: must be all, none, or numbers or uuids');
  });
});
