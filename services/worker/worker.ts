import { setTimeout as sleep } from 'node:timers/promises';
import { DiskFull } from '#archive/errors.ts';
import type { JobResult, Lease } from '#archive/schema.ts';
import type { EgressPermit } from '#sandbox/egress/policy.ts';
import { type SandboxDriver, SandboxUnavailable } from '#sandbox/sandbox.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { evaluate } from '#services/evaluator/evaluate.ts';
import type { Log } from '#services/log.ts';
import { propose } from '#services/proposer/propose.ts';
import type { Doorbell } from '#services/queue/queue.ts';
import { CPU_CLASS } from '#services/resource-class.ts';
import { ControlAway } from './control-away.ts';
import type { ClaimedJob, ControlClient } from './control-client.ts';
import type { GpuPool } from './gpus-pool.ts';

/** A renewal is also how a worker learns that its job was cancelled, so they come more often than the lease asks for. */
const RENEW_MS = 2_000;

export interface JobOptions {
  /** The worker's. */
  name: string;
  client: ControlClient;
  chooseDriver: (wanted: 'auto' | DriverName, signal: AbortSignal) => Promise<SandboxDriver>;
  /** What sandboxes may reach at most. By default nothing. */
  egress?: EgressPermit;
  /** By default there are none. */
  gpus?: Pick<GpuPool, 'leaseFor'>;
  /** Does something once there is a slot for it; what waits for GPUs takes none. By default there is one at once. */
  inSlot?: (work: () => Promise<Worked>) => Promise<Worked>;
  /** Told of each job that was had, as soon as it is. */
  onClaimed?: (lease: Lease) => void;
  log: Log;
}

/** `stop`: nothing new is begun. `abandon`: what is under way ends and is given back. */
export interface WorkerSignals {
  stop: AbortSignal;
  abandon: AbortSignal;
}

/** What came of a doorbell. `failed`: the harness did, for this reason. `ended`: the job has a result, or is somebody else's. */
export type Worked = { kind: 'not-had' | 'ended' | 'given-back' } | { kind: 'failed'; reason: string };

/**
 * Takes the job that a doorbell tells of, if it is to be had, and does it. Holds no state: what is known of a job came with
 * the claim, what was made leaves by `complete`. Never throws.
 */
export async function workOn(doorbell: Doorbell, options: JobOptions, signals: WorkerSignals): Promise<Worked> {
  try {
    const needsGpus = doorbell.resourceClass !== CPU_CLASS;
    using gpus = needsGpus ? ((await options.gpus?.leaseFor(doorbell, signals.stop)) ?? null) : null;
    if (needsGpus && gpus === null) return { kind: 'not-had' };
    const { inSlot = (work) => work() } = options;
    return await inSlot(() => claimAndDo(doorbell, gpus?.uuids ?? [], options, signals));
  } catch (error) {
    if (!signals.stop.aborted) options.log.warn({ err: error, ...doorbell }, 'no GPU could be had for a job');
    return { kind: 'not-had' };
  }
}

async function claimAndDo(
  { jobId }: Doorbell,
  gpus: readonly string[],
  options: JobOptions,
  { stop, abandon }: WorkerSignals,
): Promise<Worked> {
  const { client, name, log } = options;
  if (stop.aborted) return { kind: 'not-had' };
  const claimedMs = performance.now();
  const job = await client.claim(jobId, name).catch((error) => {
    log.error({ err: error, jobId }, 'claim failed');
    return null;
  });
  if (job === null) return { kind: 'not-had' };
  options.onClaimed?.(job.lease);
  const lost = new AbortController();
  const signal = AbortSignal.any([lost.signal, abandon]);
  const renewing = keepLease(job, claimedMs, options, lost);
  try {
    const result = await runJob(job, gpus, options, signal);
    await deliver(job.lease, result, options, signal);
    return { kind: 'ended' };
  } catch (error) {
    if (lost.signal.aborted) return { kind: 'ended' };
    const infra = !abandon.aborted && !(error instanceof ControlAway);
    await giveBack(job.lease, abandon.aborted ? abandon.reason : error, infra, options);
    return infra ? { kind: 'failed', reason: reasonOf(error) } : { kind: 'given-back' };
  } finally {
    lost.abort(new Error('the job is over'));
    await renewing;
  }
}

async function runJob(
  job: ClaimedJob,
  gpus: readonly string[],
  options: JobOptions,
  signal: AbortSignal,
): Promise<JobResult> {
  const { client, egress } = options;
  const report: Parameters<typeof evaluate>[1]['report'] = (stage, detail) =>
    client.report(job.lease, { jobId: job.lease.jobId, stage, detail });
  const needed = (job.kind === 'trial' ? job.task : job.smokeTask).resources.gpus;
  if (gpus.length < needed) throw new Error(`it needs ${needed} GPUs and was taken with ${gpus.length}`);
  const driver = await options.chooseDriver(job.spec.sandbox, signal);
  if (!driver.isolates && !job.spec.allowUnsandboxed)
    throw new SandboxUnavailable(`the ${driver.name} driver isolates nothing, and the run must not use it`);
  if (job.kind === 'proposal') {
    return propose(job, {
      driver,
      source: (tree) => client.source(tree),
      stage: (patch) => client.stage(job.lease, job.parent.commit, patch),
      model: (role, request) => client.model(job.lease, role, request),
      report,
      egress,
      gpus,
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
      gpus,
    },
    {
      ...{ driver, report, signal, egress },
      forward: (request) => client.model(job.lease, 'trial', request),
    },
  );
}

/**
 * Renews until the job is over. The job ends at once when control says that the lease is lost, or when control has not been
 * heard for so long that the lease has ended whatever became of it.
 */
async function keepLease(
  { lease, leaseMs }: ClaimedJob,
  claimedMs: number,
  { client, log }: JobOptions,
  lost: AbortController,
): Promise<void> {
  let heldUntilMs = claimedMs + leaseMs;
  const { signal } = lost;
  while (!signal.aborted) {
    await sleep(Math.min(leaseMs / 3, RENEW_MS), undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    const askedMs = performance.now();
    const answer = await renewed(client, lease, Math.max(heldUntilMs - askedMs, RENEW_MS), signal);
    if (signal.aborted) return;
    if (answer === 'kept') heldUntilMs = askedMs + leaseMs;
    else if (answer === 'lost') lost.abort(new LeaseLost(`the lease on ${lease.jobId} is lost`));
    else {
      log.warn({ err: answer, jobId: lease.jobId }, 'renewing the lease failed');
      if (performance.now() >= heldUntilMs)
        lost.abort(new LeaseLost(`the lease on ${lease.jobId} has ended: control was not heard for ${leaseMs} ms`));
    }
  }
}

/** What control says within the time, or the error that kept it from saying anything. */
async function renewed(client: ControlClient, lease: Lease, withinMs: number, signal: AbortSignal) {
  const late = new AbortController();
  const patience = sleep(withinMs, undefined, { signal: AbortSignal.any([signal, late.signal]) }).then(
    () => new Error('control does not answer'),
    () => new Error('nobody waits any more'),
  );
  const asked = client.renew(lease).then(
    (kept) => (kept ? 'kept' : 'lost'),
    (error: unknown) => error,
  );
  return Promise.race([asked, patience]).finally(() => late.abort());
}

/**
 * Hands in a result. A full disk at control, and control being away, are waited out for as long as the lease lasts: the work is
 * done and paid for. Anything else is tried a few times and then thrown.
 */
async function deliver(lease: Lease, result: JobResult, { client, log }: JobOptions, signal: AbortSignal) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const accepted = await client.complete(lease, result);
      if (!accepted)
        log.info({ jobId: lease.jobId, epoch: lease.epoch }, 'the result came too late and changed nothing');
      return;
    } catch (error) {
      const waitable = error instanceof DiskFull || error instanceof ControlAway || attempt < 5;
      if (signal.aborted || !waitable) throw error;
      log.warn({ err: error, jobId: lease.jobId }, 'handing in the result failed; trying again');
      await sleep(Math.min(250 * 2 ** attempt, 2_000), undefined, { signal }).catch(() => undefined);
    }
  }
}

async function giveBack(lease: Lease, error: unknown, infra: boolean, { client, log }: JobOptions) {
  if (infra) log.warn({ err: error, jobId: lease.jobId }, 'the harness failed; the job is given back');
  await client
    .release(lease, reasonOf(error), infra)
    .catch((failure) =>
      log.error({ err: failure, jobId: lease.jobId }, 'giving the job back failed; its lease will end'),
    );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The job now belongs to somebody else, or was cancelled. */
class LeaseLost extends Error {
  override name = 'LeaseLost';
}
