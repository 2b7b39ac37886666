import { z } from 'zod';
import { JobId, Lease, WorkerDesired } from '#archive/schema.ts';

/** Changes whenever what a worker and control say to each other does; both must speak the same. */
export const PROTOCOL = 1;

/** The name of the worker that is part of a service. No other may have it. */
export const EMBEDDED = 'embedded';

export const Gpu = z.object({
  /** As the driver names it for good: `GPU-…`. */
  uuid: z.string(),
  model: z.string(),
  memoryMiB: z.int().positive(),
  driver: z.string(),
});
export type Gpu = z.infer<typeof Gpu>;

/** What a worker says of itself when it comes. */
export const WorkerDescription = z.object({
  /** Of the operator's choosing; one worker has it at a time. */
  name: z.string().regex(/^[\w.-]{1,64}$/, 'letters, digits, ".", "_" and "-", at most 64'),
  /** Made anew by each process: tells a worker that came back from another of the same name. */
  instance: z.string().min(1).max(64),
  version: z.string(),
  protocol: z.int(),
  slots: z.int().positive(),
  labels: z.array(z.string().max(100)).max(50),
  cpus: z.number().positive(),
  memoryMiB: z.int().positive(),
  drivers: z.array(z.object({ name: z.string(), available: z.boolean(), detail: z.string() })),
  /** How many images of tasks are here; null without Docker. */
  images: z.int().nonnegative().nullable(),
  gpus: z.array(Gpu),
  /** Sandboxes that may use one GPU at the same time. */
  gpuShare: z.int().positive(),
});
export type WorkerDescription = z.infer<typeof WorkerDescription>;

/** What a worker says every few seconds. */
export const Heartbeat = z.object({
  instance: z.string(),
  /** Why it takes no jobs for now, in words for the operator; null when it takes them. */
  unwell: z.string().max(1_000).nullable(),
  jobs: z.array(Lease).max(10_000),
  /** Leases of sandboxes on its machine that are none of its own: left by a worker that died, or another's that lives. */
  sandboxes: z.array(Lease).max(10_000).default([]),
  /** GPUs that it does not use for now, each with the reason. */
  gpusOut: z
    .array(z.object({ uuid: z.string(), reason: z.string().max(1_000) }))
    .max(64)
    .default([]),
  /** One-minute load average, and free disk where it keeps its files. */
  load: z.number().nonnegative(),
  diskFreeMiB: z.int().nonnegative(),
  /** Doorbells it would like to be told of here, since its queue is out of reach. */
  wants: z.int().nonnegative().max(1_000),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

/** What control tells a worker in answer. */
export const Orders = z.object({
  /** `cordoned`: finish what you have, take nothing new. `draining`: the same, then leave. `removed`: give back and leave at once. */
  desired: WorkerDesired,
  /** Resource classes to listen for, and how many jobs of each at once at most. */
  classes: z.array(z.object({ name: z.string(), slots: z.int().positive() })),
  hints: z.array(z.object({ jobId: JobId, resourceClass: z.string() })),
  /** Those of the heartbeat's `sandboxes` whose lease has ended: the worker removes them. */
  over: z.array(Lease).default([]),
});
export type Orders = z.infer<typeof Orders>;

/** What a worker learns when it comes. */
export const Welcome = z.object({
  /** The data directory's id, for the labels of sandboxes. */
  owner: z.string(),
  heartbeatMs: z.int().positive(),
  /** Where doorbells come from; null: from control alone, as `hints`. */
  redisUrl: z.string().nullable(),
  orders: Orders,
});
export type Welcome = z.infer<typeof Welcome>;

/** A worker's standing with control, beside the jobs it holds. */
export interface FleetClient {
  /**
   * @throws CladeError `worker-refused` with the reason: another version or protocol, removed by an operator;
   * `worker-name-taken` while another worker of that name lives: try again for as long as one that died may seem to.
   */
  join(description: WorkerDescription): Promise<Welcome>;
  /** @throws CladeError `worker-unknown` when control does not know it (any more): join again; `worker-refused`: another has its name. */
  beat(name: string, heartbeat: Heartbeat): Promise<Orders>;
  leave(name: string, instance: string): Promise<void>;
}
