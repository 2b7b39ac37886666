import type { JobId } from '#archive/schema.ts';

/** A hint that a job may be had. It promises nothing: the job's row decides. */
export interface Doorbell {
  jobId: JobId;
  /** What it takes to do the job: only workers that have it listen for it. */
  resourceClass: string;
}

/**
 * Carries doorbells from control to workers. Messages may be lost, repeated or reordered; the scheduler rings again for
 * every job that stays ready, and a worker's claim decides who gets it.
 */
export interface Queue {
  /** Never throws, and never waits for a transport that is away: the ring is lost then. */
  ring(doorbell: Doorbell): Promise<void>;
  /**
   * Calls `handler` for doorbells of a class, at most `slots` (Infinity: without bound) at a time, until the signal aborts; then
   * resolves once the handlers under way have returned. A handler must not throw: what goes wrong in a job ends up in its row.
   */
  listen(
    handler: (doorbell: Doorbell) => Promise<void>,
    options: { resourceClass: string; slots: number; signal: AbortSignal },
  ): Promise<void>;
}
