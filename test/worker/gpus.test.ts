import { describe, expect, it } from 'vitest';
import { detectGpus, lookAtGpus } from '#services/worker/gpus.ts';
import { leftovers } from '#services/worker/gpus-leftovers.ts';
import { aGpu, type GpuState, listed, StandInGpus } from './stand-in-gpus.ts';

/** A driver that hangs is told from one on a busy machine by far. */
const SOON_MS = 3_000;

async function detected(state: GpuState, wanted?: Parameters<typeof detectGpus>[0]) {
  using smi = new StandInGpus(state);
  return await detectGpus(wanted, { program: smi.program });
}

describe('detection', () => {
  it('says model, memory and driver of each GPU, and goes by the uuid', async () => {
    const t4 = { name: 'Tesla T4', 'memory.total': '15360 MiB', 'mig.mode.current': '[N/A]' };
    expect(await detected({ gpus: [listed('GPU-a'), listed('GPU-b', t4)] })).toEqual({
      gpus: [aGpu('GPU-a'), aGpu('GPU-b', { model: 'Tesla T4', memoryMiB: 15_360 })],
      leftOut: [],
      trouble: null,
    });
  });

  it('finds none where nvidia-smi is not there, and calls that no trouble', async () => {
    expect(await detectGpus('all', { program: '/nowhere/nvidia-smi' })).toEqual({
      gpus: [],
      leftOut: [],
      trouble: null,
    });
    expect(await detected({ gpus: [] })).toEqual({ gpus: [], leftOut: [], trouble: null });
  });

  it('finds the program on PATH', async () => {
    using smi = new StandInGpus({ gpus: [listed('GPU-a')] });
    const before = process.env.PATH;
    process.env.PATH = smi.path();
    try {
      expect((await detectGpus()).gpus).toEqual([aGpu('GPU-a')]);
    } finally {
      process.env.PATH = before;
    }
  });

  it('says what nvidia-smi says when it fails, and takes the GPUs that it listed all the same', async () => {
    const stderr = 'NVIDIA-SMI has failed because it could not communicate\nwith the NVIDIA driver.';
    expect(await detected({ gpus: [], fails: { code: 9, stderr } })).toEqual({
      gpus: [],
      leftOut: [],
      trouble: `nvidia-smi fails (9): ${stderr.replace('\n', ' ')}`,
    });
    const stdout =
      '0, GPU-a, NVIDIA H100 80GB HBM3, 81559, 550.90.12, Disabled\nUnable to determine the device handle\n';
    const half = await detected({ gpus: [], fails: { code: 15, stdout } });
    expect(half).toMatchObject({ gpus: [aGpu('GPU-a')], trouble: expect.stringContaining('nvidia-smi fails (15)') });
  });

  it('gives up on an nvidia-smi that hangs', async () => {
    using smi = new StandInGpus({ gpus: [], hangs: true });
    expect(await detectGpus('all', { program: smi.program, timeoutMs: SOON_MS })).toEqual({
      gpus: [],
      leftOut: [],
      trouble: 'nvidia-smi does not answer within 3 s',
    });
  });

  it('leaves out GPUs that are cut into slices, and those that do not say their memory', async () => {
    const mig = listed('GPU-a', { 'mig.mode.current': 'Enabled' });
    const unified = listed('GPU-b', { 'memory.total': '[N/A]' });
    const { gpus, leftOut } = await detected({ gpus: [mig, unified, listed('GPU-c')] });
    expect(gpus).toEqual([aGpu('GPU-c')]);
    expect(leftOut).toEqual([
      { uuid: 'GPU-a', reason: expect.stringContaining('MIG') },
      { uuid: 'GPU-b', reason: 'nvidia-smi does not say how much memory it has ([N/A])' },
    ]);
  });

  it('asks old drivers, which know no MIG, without it, and passes over warnings', async () => {
    const warnings = ['WARNING: infoROM is corrupted at gpu 0000:00:04.0'];
    const old = await detected({ gpus: [listed('GPU-a')], unknownFields: ['mig.mode.current'], warnings });
    expect(old).toEqual({ gpus: [aGpu('GPU-a')], leftOut: [], trouble: null });
  });

  it('keeps to the GPUs that an operator named, by number or uuid, and says which are not there', async () => {
    const gpus = [listed('GPU-a'), listed('GPU-b'), listed('GPU-c')];
    const named = await detected({ gpus }, ['1', 'GPU-c']);
    expect(named).toEqual({ gpus: [aGpu('GPU-b'), aGpu('GPU-c')], leftOut: [], trouble: null });
    expect(await detected({ gpus }, 'none')).toMatchObject({ gpus: [], trouble: null });
    const lost = await detected({ gpus }, ['7', 'GPU-a']);
    expect(lost).toMatchObject({ gpus: [aGpu('GPU-a')], trouble: expect.stringContaining('there is no GPU 7 here') });
  });
});

describe('a look at GPUs', () => {
  it('shows memory in use and every process, whatever its name', async () => {
    const processes = [
      { gpu_uuid: 'GPU-a', pid: 41, process_name: '/usr/bin/python3, with commas', used_gpu_memory: 1024 },
      { gpu_uuid: 'GPU-a', pid: 42, process_name: '[Not Found]', used_gpu_memory: '[N/A]' },
      { gpu_uuid: 'GPU-b', pid: 43, process_name: 'train', used_gpu_memory: 5 },
    ];
    using smi = new StandInGpus({ gpus: [listed('GPU-a'), listed('GPU-b')], processes });
    expect(await lookAtGpus(['GPU-a'], { program: smi.program })).toEqual(
      new Map([
        [
          'GPU-a',
          {
            memoryUsedMiB: 4,
            processes: [
              { pid: 41, name: '/usr/bin/python3, with commas', memoryMiB: 1024 },
              { pid: 42, name: 'unknown', memoryMiB: null },
            ],
          },
        ],
      ]),
    );
  });

  it('fails when nvidia-smi does', async () => {
    using smi = new StandInGpus({ gpus: [], fails: { code: 255, stderr: 'Unable to determine the device handle' } });
    await expect(lookAtGpus(['GPU-a'], { program: smi.program })).rejects.toThrow(/nvidia-smi fails \(255\)/);
  });
});

describe('leftovers', () => {
  const idle = { memoryUsedMiB: 4, processes: [] };
  const busy = { memoryUsedMiB: 900, processes: [{ pid: 7, name: 'Xorg', memoryMiB: 900 }] };

  it('are processes that were not there before', () => {
    const after = {
      memoryUsedMiB: 2_000,
      processes: [...busy.processes, { pid: 8, name: 'python3', memoryMiB: 1_100 }],
    };
    expect(leftovers(busy, after)).toBe('left behind: process 8 (python3, 1100 MiB)');
    expect(leftovers(busy, busy)).toBeNull();
    expect(leftovers(busy, idle)).toBeNull();
  });

  it('are memory that nobody owns up to, beyond what the driver takes for itself', () => {
    expect(leftovers(idle, { memoryUsedMiB: 3_004, processes: [] })).toBe(
      'left behind: 3000 MiB in use that were free before',
    );
    expect(leftovers(idle, { memoryUsedMiB: 120, processes: [] })).toBeNull();
    expect(leftovers({ memoryUsedMiB: null, processes: [] }, busy)).toContain('process 7');
  });

  it('a GPU that is gone is not clean', () => {
    expect(leftovers(idle, null)).toBe('nvidia-smi does not list it any more');
  });
});
