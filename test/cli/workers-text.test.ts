import pc from 'picocolors';
import { expect, it } from 'vitest';
import { fleetLine, workerTable } from '#services/cli/workers-text.ts';
import type { WorkerView } from '#services/scheduler/worker-view.ts';
import { aWorker } from '#test/fleet/workers.ts';

const plain = { paint: pc.createColors(false), nowMs: 100_000 };

function aView(over: Partial<WorkerView> = {}): WorkerView {
  const { instance: _, protocol: __, ...description } = aWorker();
  const times = { firstSeenMs: 1_000, lastHeardMs: 97_000 };
  const figures = { busy: 1, jobs: [], load: 0.5, diskFreeMiB: 9_000, gpusOut: [] };
  return { ...description, state: 'active', desired: 'active', unwell: null, ...figures, ...times, ...over };
}

it('workers are shown with state, slots, sandboxes that work, labels, and when they were heard of', () => {
  const gpu = { uuid: 'GPU-1', model: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559, driver: '550' };
  const shown = workerTable([aView(), aView({ name: 'b', state: 'left', gpus: [gpu, gpu], load: null })], plain);
  expect(shown.split('\n').map((line) => line.replace(/ {2,}/g, ' | '))).toEqual([
    'worker | state | slots | load | cores | GPUs | sandboxes | version | labels | heard',
    'w1 | active | 1/2 | 0.5 | 8 | none | process | 1.2.3 | rack-4 | 3 s',
    'b | left | - | - | 8 | 2 × NVIDIA H100 80GB HBM3 (79.6 GiB) | process | 1.2.3 | rack-4 | 3 s',
  ]);
});

it('a worker that takes no jobs has its reason below the others, harmless to a terminal', () => {
  const sick = aView({ name: 'sick', state: 'unwell', unwell: 'docker: \u001b[31mno answer\u0007' });
  expect(workerTable([sick], plain).split('\n').at(-1)).toBe('sick takes no jobs: docker: no answer');
});

it('all of them make one line: who is here, how busy, and who is not as it should be', () => {
  const workers = [
    aView({ busy: 2 }),
    aView({ name: 'b', state: 'away', slots: 9 }),
    aView({ name: 'c', state: 'unwell', unwell: '3 MiB free', busy: 0 }),
    aView({ name: 'd', state: 'left' }),
  ];
  expect(fleetLine(workers)).toBe('Workers: 2 of 4 here, 2 of 4 slots busy. b is away. c takes no jobs: 3 MiB free.');
});
