import type { Heartbeat, WorkerDescription } from '#services/worker/fleet.ts';
import { PROTOCOL } from '#services/worker/fleet.ts';

/** What a worker says of itself; say only what matters. */
export function aWorker(over: Partial<WorkerDescription> = {}): WorkerDescription {
  const name = over.name ?? 'w1';
  return {
    ...{ name, instance: `${name}-1`, version: '1.2.3', protocol: PROTOCOL, slots: 2, labels: ['rack-4'] },
    ...{ cpus: 8, memoryMiB: 16_000, images: null, gpus: [], gpuShare: 1 },
    drivers: [
      { name: 'docker', available: false, detail: 'no Docker engine is running' },
      { name: 'process', available: true, detail: 'plain processes' },
    ],
    ...over,
  };
}

/** A heartbeat of a worker that is well. */
export function aBeat(over: Partial<Heartbeat> = {}): Heartbeat {
  return {
    instance: 'w1-1',
    unwell: null,
    jobs: [],
    sandboxes: [],
    gpusOut: [],
    load: 0.5,
    diskFreeMiB: 9_000,
    wants: 0,
    ...over,
  };
}
