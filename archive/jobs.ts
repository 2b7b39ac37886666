import type { z } from 'zod';
import type { Database } from './database.ts';
import type { Events } from './events.ts';
import type { AgentId, EventData, Job, JobId, JobState, Lease, ProposalId, RunId, TrialId } from './schema.ts';

type State = z.infer<typeof JobState>;

/** A condition on a job of table `jobs`: in any other state of its run it waits. */
const isHandedOut = `EXISTS (SELECT 1 FROM runs WHERE runs.id = jobs.run_id AND runs.state IN ('running', 'closing'))`;

/** Why a job is ready again that was taken from a worker. */
export const LEASE_ENDED = 'its lease ended';

/**
 * Jobs and the right to do them. Claiming raises a job's epoch; whoever comes with another epoch than the job's, or with
 * a job that is not leased, is told so and changes nothing. Times are milliseconds since the epoch.
 */
export class Jobs {
  readonly #db: Database;
  readonly #events: Events;

  constructor(db: Database, events: Events) {
    this.#db = db;
    this.#events = events;
  }

  get(id: JobId): Job | null {
    const row = this.#db.get<JobRow>('SELECT * FROM jobs WHERE id = ?', id);
    return row ? toJob(row) : null;
  }

  /** Takes a job that is ready and due, of a run that is running or closing, or null. */
  claim(id: JobId, worker: string, leaseMs: number, nowMs: number): Lease | null {
    return this.#db.write(() => {
      const row = this.#db.get<{ epoch: number; run_id: RunId }>(
        `UPDATE jobs SET state = 'leased', epoch = epoch + 1, worker = ?, lease_until = ?
         WHERE id = ? AND state = 'ready' AND not_before <= ? AND ${isHandedOut} RETURNING epoch, run_id`,
        ...[worker, nowMs + leaseMs, id, nowMs],
      );
      if (!row) return null;
      this.#events.append(row.run_id, { kind: 'job-claimed', job: id, worker, epoch: row.epoch }, nowMs);
      return { jobId: id, epoch: row.epoch };
    });
  }

  /** Prolongs the lease. False: it is lost, stop at once. */
  renew(lease: Lease, leaseMs: number, nowMs: number): boolean {
    return this.#db.write(() => {
      const sql = `UPDATE jobs SET lease_until = ? WHERE id = ? AND epoch = ? AND state = 'leased'`;
      return this.#db.run(sql, nowMs + leaseMs, lease.jobId, lease.epoch).changes === 1;
    });
  }

  /** Whether the lease is still what its holder may work by. */
  holds({ jobId, epoch }: Lease): boolean {
    const job = this.get(jobId);
    return job?.state === 'leased' && job.epoch === epoch;
  }

  /** Gives the job back, to be taken from `notBeforeMs` on. `infra`: the harness failed, which is counted. */
  release(lease: Lease, given: { reason: string; infra: boolean; notBeforeMs: number }, nowMs: number): boolean {
    return this.#db.write(() => {
      const holder = this.get(lease.jobId)?.worker;
      const row = this.#db.get<{ run_id: RunId }>(
        `UPDATE jobs SET state = 'ready', worker = NULL, lease_until = NULL, not_before = ?, infra_failures = infra_failures + ?
         WHERE id = ? AND epoch = ? AND state = 'leased' RETURNING run_id`,
        ...[given.notBeforeMs, given.infra ? 1 : 0, lease.jobId, lease.epoch],
      );
      if (row) this.#requeued(row.run_id, lease.jobId, given.reason, nowMs);
      if (row && given.infra && holder) this.#failedAt(lease.jobId, holder, given.reason, nowMs);
      return row !== undefined;
    });
  }

  /** Where the job came back from without a result, oldest first: the harness failed, or a lease ended. */
  failures(id: JobId): JobFailure[] {
    return this.#db.all<JobFailure>('SELECT worker, reason, at FROM job_failures WHERE job_id = ? ORDER BY id', id);
  }

  /** Forgets the harness's failures at the run's open jobs: those that wait may be taken at once, by anybody. */
  forgive(runId: RunId): void {
    this.#db.write(() => {
      for (const { id } of this.open(runId)) this.#db.run('DELETE FROM job_failures WHERE job_id = ?', id);
      const sql = `UPDATE jobs INDEXED BY jobs_open SET infra_failures = 0, not_before = 0
                   WHERE state IN ('ready', 'leased') AND run_id = ?`;
      this.#db.run(sql, runId);
    });
  }

  /** Takes the job from a worker that never gave it back: ready again, and the worker's epoch is worth nothing. */
  expire(id: JobId, nowMs: number, reason = LEASE_ENDED): boolean {
    return this.#db.write(() => {
      const holder = this.get(id)?.worker;
      const row = this.#db.get<{ run_id: RunId }>(
        `UPDATE jobs SET state = 'ready', epoch = epoch + 1, worker = NULL, lease_until = NULL
         WHERE id = ? AND state = 'leased' RETURNING run_id`,
        id,
      );
      if (row) this.#requeued(row.run_id, id, reason, nowMs);
      if (row && holder) this.#failedAt(id, holder, reason, nowMs);
      return row !== undefined;
    });
  }

  /**
   * Ends a job without a result: its trial or proposal settles with `outcome`, which never counts as evidence. By lease
   * (false when stale), or by id whoever holds it (false when it is over already).
   */
  setAside(which: Lease | { jobId: JobId }, outcome: 'infra' | 'cancelled', reason: string, nowMs: number): boolean {
    return this.#db.write(() => {
      const state = outcome === 'infra' ? 'done' : 'cancelled';
      const job = 'epoch' in which ? this.finish(which, state) : this.#finishAnyEpoch(which.jobId, state);
      if (!job) return false;
      if (isTrial(which.jobId)) this.#setTrialAside(which.jobId, outcome, reason, job, nowMs);
      else this.#setProposalAside(which.jobId, outcome, reason, job, nowMs);
      return true;
    });
  }

  // INDEXED BY: the index holds open jobs alone, and a query that could not use it would not even prepare.

  /** Jobs that `claim` would give now, oldest first; of one run or of all. */
  ready(runId: RunId | null, nowMs: number): Job[] {
    const sql = `SELECT * FROM jobs INDEXED BY jobs_open WHERE state IN ('ready', 'leased') AND state = 'ready' AND not_before <= ?
                 AND ${isHandedOut} AND (? IS NULL OR run_id = ?) ORDER BY rowid`;
    return this.#db.all<JobRow>(sql, nowMs, runId, runId).map(toJob);
  }

  leased(): Job[] {
    const sql = `SELECT * FROM jobs INDEXED BY jobs_open WHERE state IN ('ready', 'leased') AND state = 'leased' ORDER BY rowid`;
    return this.#db.all<JobRow>(sql).map(toJob);
  }

  /** Leased jobs whose lease has run out. */
  expired(nowMs: number): Job[] {
    return this.leased().filter((job) => job.leaseUntil !== null && job.leaseUntil <= nowMs);
  }

  /** Jobs of the run that are ready or leased. */
  open(runId: RunId): Job[] {
    const sql = `SELECT * FROM jobs INDEXED BY jobs_open WHERE state IN ('ready', 'leased') AND run_id = ? ORDER BY rowid`;
    return this.#db.all<JobRow>(sql, runId).map(toJob);
  }

  /** Used by the archive's other parts inside their transaction: a new job, ready at once. */
  add(id: JobId, runId: RunId, given: { jobBudgetUusd: number | null; resourceClass?: string }): void {
    const sql = `INSERT INTO jobs (id, run_id, state, budget_uusd, resource_class) VALUES (?, ?, 'ready', ?, ?)`;
    this.#db.run(sql, id, runId, given.jobBudgetUusd, given.resourceClass ?? 'cpu');
  }

  /** Used by the archive's other parts inside their transaction: ends a live lease's job, or null when it is stale. */
  finish(lease: Lease, state: 'done' | 'cancelled'): FinishedJob | null {
    const row = this.#db.get<FinishedRow>(
      `UPDATE jobs SET state = ?, worker = NULL, lease_until = NULL WHERE id = ? AND epoch = ? AND state = 'leased'
       RETURNING run_id, spent_uusd`,
      ...[state, lease.jobId, lease.epoch],
    );
    return row ? { runId: row.run_id, spentUusd: row.spent_uusd } : null;
  }

  #finishAnyEpoch(id: JobId, state: 'done' | 'cancelled'): FinishedJob | null {
    const row = this.#db.get<FinishedRow>(
      `UPDATE jobs SET state = ?, epoch = epoch + 1, worker = NULL, lease_until = NULL
       WHERE id = ? AND state IN ('ready', 'leased') RETURNING run_id, spent_uusd`,
      ...[state, id],
    );
    return row ? { runId: row.run_id, spentUusd: row.spent_uusd } : null;
  }

  #setTrialAside(id: TrialId, outcome: 'infra' | 'cancelled', reason: string, job: FinishedJob, nowMs: number): void {
    const row = this.#db.get<{ agent_id: AgentId; task: string }>(
      `UPDATE trials SET outcome = ?, reason = ?, spent_uusd = ?, settled_at = ? WHERE id = ? RETURNING agent_id, task`,
      ...[outcome, reason, job.spentUusd, nowMs, id],
    );
    if (!row) throw new Error(`The job ${id} has no trial.`);
    this.#db.run('UPDATE runs SET trials_settled = trials_settled + 1 WHERE id = ?', job.runId);
    const settled = { trial: id, agent: row.agent_id, task: row.task, outcome, y: null, spentUusd: job.spentUusd };
    this.#events.append(job.runId, { kind: 'trial-settled', ...settled }, nowMs);
  }

  #setProposalAside(
    id: ProposalId,
    outcome: 'infra' | 'cancelled',
    reason: string,
    job: FinishedJob,
    nowMs: number,
  ): void {
    const row = this.#db.get<{ parent_id: AgentId }>(
      `UPDATE proposals SET outcome = ?, reason = ?, spent_uusd = ?, settled_at = ? WHERE id = ? RETURNING parent_id`,
      ...[outcome, reason, job.spentUusd, nowMs, id],
    );
    if (!row) throw new Error(`The job ${id} has no proposal.`);
    const settled = { proposal: id, parent: row.parent_id, outcome, agent: null, spentUusd: job.spentUusd };
    this.#events.append(job.runId, { kind: 'proposal-settled', ...settled }, nowMs);
  }

  #failedAt(id: JobId, worker: string, reason: string, nowMs: number): void {
    const sql = 'INSERT INTO job_failures (job_id, worker, reason, at) VALUES (?, ?, ?, ?)';
    this.#db.run(sql, id, worker, reason, nowMs);
  }

  #requeued(runId: RunId, job: JobId, reason: string, nowMs: number): void {
    const data: EventData = { kind: 'job-requeued', job, reason };
    this.#events.append(runId, data, nowMs);
  }
}

/** A job that came back from a worker without a result. */
export interface JobFailure {
  worker: string;
  reason: string;
  /** Milliseconds since the epoch. */
  at: number;
}

/** A job that has just ended, with what its calls have cost so far. */
export interface FinishedJob {
  runId: RunId;
  spentUusd: number;
}

/** A job's id tells its kind. */
export function isTrial(id: JobId): id is TrialId {
  return /-t\d+$/.test(id);
}

interface FinishedRow {
  run_id: RunId;
  spent_uusd: number;
}

interface JobRow {
  id: JobId;
  run_id: RunId;
  state: State;
  epoch: number;
  worker: string | null;
  lease_until: number | null;
  not_before: number;
  infra_failures: number;
  resource_class: string;
}

function toJob(row: JobRow): Job {
  return {
    id: row.id,
    runId: row.run_id,
    state: row.state,
    epoch: row.epoch,
    worker: row.worker,
    leaseUntil: row.lease_until,
    notBefore: row.not_before,
    infraFailures: row.infra_failures,
    resourceClass: row.resource_class,
  };
}
