import type { Task } from '#benchmarks/schema.ts';
import type { Limits } from '#sandbox/schema.ts';

/** The run's limits, each raised to what a task needs. */
export function atLeast(limits: Limits, { cpus = 0, memoryMiB = 0, diskMiB = 0, pids = 0 }: Task['needs']): Limits {
  return {
    ...limits,
    cpus: Math.max(limits.cpus, cpus),
    memoryMiB: Math.max(limits.memoryMiB, memoryMiB),
    diskMiB: Math.max(limits.diskMiB, diskMiB),
    pids: Math.max(limits.pids, pids),
  };
}
