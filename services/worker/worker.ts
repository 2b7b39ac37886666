import { setTimeout as sleep } from 'node:timers/promises';
import { DiskFull } from '#archive/errors.ts';
import type { JobId, JobResult, Lease } from '#archive/schema.ts';
import type { EgressPermit } from '#sandbox/egress/policy.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { evaluate } from '#services/evaluator/evaluate.ts';
import type { Log } from '#services/log.ts';
import { propose } from '#services/proposer/propose.ts';
import type { Queue } from '#services/queue/queue.ts';
import type { ClaimedJob, ControlClient } from './control-client.ts';

/** A renewal is also how a worker learns that its job was cancelled, so they come more often than the lease asks for. */
const RENEW_MS = 2_000;

export interface WorkerOptions {
  name: string;
  client: ControlClient;
  queue: Queue;
  chooseDriver: (wanted: 'auto' | DriverName, signal: AbortSignal) => Promise<SandboxDriver>;
  /** What sandboxes may reach at most. By default nothing. */
  egress?: EgressPermit;
  /** Jobs done at once, over all runs. Infinity: as many as there are, which each run's `slots` bounds. */
  slots: number;
  log: Log;
}

/**
 * Takes jobs and does them until `stop` aborts, then lets those under way finish; `abandon` ends these too and gives them
 * back. Holds no state: what it knows of a job came with the claim, what it made leaves by `complete`.
 */
export async function work(options: WorkerOptions, { stop, abandon }: { stop: AbortSignal; abandon: AbortSignal }) {
  await options.queue.listen(({ jobId }) => workOn(jobId, options, stop, abandon), {
    resourceClass: 'cpu',
    slots: options.slots,
    signal: stop,
  });
}

async function workOn(jobId: JobId, options: WorkerOptions, stop: AbortSignal, abandon: AbortSignal): Promise<void> {
  const { client, name, log } = options;
  if (stop.aborted) return;
  const job = await client.claim(jobId, name).catch((error) => {
    log.error({ err: error, jobId }, 'claim failed');
    return null;
  });
  if (job === null) return;
  const lost = new AbortController();
  const signal = AbortSignal.any([lost.signal, abandon]);
  const renewing = keepLease(job, options, lost);
  try {
    const result = await runJob(job, options, signal);
    await deliver(job.lease, result, options, signal);
  } catch (error) {
    if (!lost.signal.aborted) await giveBack(job.lease, error, options, abandon);
  } finally {
    lost.abort(new Error('the job is over'));
    await renewing;
  }
}

async function runJob(job: ClaimedJob, options: WorkerOptions, signal: AbortSignal): Promise<JobResult> {
  const { client, egress } = options;
  const report: Parameters<typeof evaluate>[1]['report'] = (stage, detail) =>
    client.report(job.lease, { jobId: job.lease.jobId, stage, detail });
  const driver = await options.chooseDriver(job.spec.sandbox, signal);
  if (job.kind === 'proposal') {
    return propose(job, {
      driver,
      source: (tree) => client.source(tree),
      stage: (patch) => client.stage(job.lease, job.parent.commit, patch),
      model: (role, request) => client.model(job.lease, role, request),
      report,
      egress,
      signal,
    });
  }
  const { cpus, memoryMiB, pids, diskMiB } = job.spec.limits;
  return evaluate(
    {
      source: await client.source(job.agent.tree),
      task: job.task,
      model: job.model,
      limits: { cpus, memoryMiB, pids, diskMiB },
      labels: { owner: job.owner, run: job.runId, job: job.lease.jobId, epoch: job.lease.epoch },
      trialMs: job.spec.limits.trialSeconds * 1000,
    },
    {
      ...{ driver, report, signal, egress },
      forward: (request) => client.model(job.lease, 'trial', request),
    },
  );
}

/** Renews until the job is over; a lease that cannot be renewed ends the job at once. */
async function keepLease(job: ClaimedJob, { client, log }: WorkerOptions, lost: AbortController): Promise<void> {
  while (!lost.signal.aborted) {
    await sleep(Math.min(job.leaseMs / 3, RENEW_MS), undefined, { signal: lost.signal }).catch(() => undefined);
    if (lost.signal.aborted) return;
    const kept = await client.renew(job.lease).catch((error) => {
      log.warn({ err: error, jobId: job.lease.jobId }, 'renewing the lease failed');
      return true;
    });
    if (!kept) lost.abort(new LeaseLost(`the lease on ${job.lease.jobId} is lost`));
  }
}

/**
 * Hands in a result. A full disk at control is waited out for as long as the lease lasts: the work is done and paid for.
 * Anything else is tried a few times and then thrown.
 */
async function deliver(lease: Lease, result: JobResult, { client, log }: WorkerOptions, signal: AbortSignal) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const accepted = await client.complete(lease, result);
      if (!accepted)
        log.info({ jobId: lease.jobId, epoch: lease.epoch }, 'the result came too late and changed nothing');
      return;
    } catch (error) {
      const waitable = error instanceof DiskFull || attempt < 5;
      if (signal.aborted || !waitable) throw error;
      log.warn({ err: error, jobId: lease.jobId }, 'handing in the result failed; trying again');
      await sleep(Math.min(250 * 2 ** attempt, 5_000), undefined, { signal }).catch(() => undefined);
    }
  }
}

async function giveBack(lease: Lease, error: unknown, { client, log }: WorkerOptions, abandon: AbortSignal) {
  const reason = error instanceof Error ? error.message : String(error);
  if (!abandon.aborted) log.warn({ err: error, jobId: lease.jobId }, 'the harness failed; the job is given back');
  await client
    .release(lease, abandon.aborted ? 'the worker is shutting down' : reason, !abandon.aborted)
    .catch((failure) =>
      log.error({ err: failure, jobId: lease.jobId }, 'giving the job back failed; its lease will end'),
    );
}

/** The job now belongs to somebody else, or was cancelled. */
class LeaseLost extends Error {
  override name = 'LeaseLost';
}
