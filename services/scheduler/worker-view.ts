import { z } from 'zod';
import { JobId, type StoredWorker, WorkerDesired } from '#archive/schema.ts';
import { Heartbeat, WorkerDescription } from '#services/worker/fleet.ts';

/** A worker that was not heard of for so long is away: it gets no jobs, and its leases end by themselves. */
export const AWAY_MS = 15_000;

/** `left`: it ended by its own will. `away`: it fell silent. `unwell`: it takes no jobs for now and says why. */
export const WorkerState = z.enum(['active', 'unwell', 'cordoned', 'draining', 'removed', 'away', 'left']);
export type WorkerState = z.infer<typeof WorkerState>;

export const WorkerView = WorkerDescription.omit({ instance: true, protocol: true })
  .extend({
    state: WorkerState,
    desired: WorkerDesired,
    unwell: z.string().nullable().describe('Why it takes no jobs for now.'),
    gpusOut: Heartbeat.shape.gpusOut.describe('GPUs that it does not use for now, each with the reason.'),
    busy: z.int().describe('Of its slots, those that hold a job.'),
    jobs: z.array(JobId),
    load: z.number().nullable().describe('One-minute load average; null when it was not heard of yet.'),
    diskFreeMiB: z.int().nullable(),
    firstSeenMs: z.int(),
    lastHeardMs: z.int(),
  })
  .describe('A worker: what it is, and how it does');
export type WorkerView = z.infer<typeof WorkerView>;

/** What a worker's heartbeats have told. */
export interface Standing {
  instance: string;
  description: WorkerDescription;
  unwell: string | null;
  gpusOut: Heartbeat['gpusOut'];
  load: number | null;
  diskFreeMiB: number | null;
  heardMs: number;
}

/** How it is with a worker that control knows. `standing` is null for one that was not heard of since control started. */
export function workerState(
  { desired, instance }: Pick<StoredWorker, 'desired' | 'instance'>,
  standing: Standing | null,
  nowMs: number,
): WorkerState {
  if (standing === null && instance === '') return desired === 'removed' ? 'removed' : 'left';
  if (standing === null || nowMs - standing.heardMs >= AWAY_MS) return 'away';
  if (desired !== 'active') return desired;
  return standing.unwell === null ? 'active' : 'unwell';
}
