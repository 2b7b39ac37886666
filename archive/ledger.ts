import type { z } from 'zod';
import type { Database } from './database.ts';
import { BudgetExceeded, NotFound, StaleLease } from './errors.ts';
import type { Events } from './events.ts';
import type { BudgetScope, Call, CallRole, CallState, JobId, Lease, RunId } from './schema.ts';

/** A model call about to be made: whose, to what, and the most it can cost (micro-dollars). */
export interface Reservation {
  lease: Lease;
  role: CallRole;
  model: string;
  requestDigest: string;
  occurrence: number;
  reservedUusd: number;
  /** What the worker calls it, which asks again under this name when it does not know what became of it. */
  name?: string | null;
  nowMs: number;
}

/** What a call came to; `spentUusd` is its true cost, also where that is more than was reserved. */
export interface Settlement {
  spentUusd: number;
  inputTokens: number;
  outputTokens: number;
  latencyMs: number;
  replyBlob: string;
}

/**
 * Spend of a run by role and model, over the calls that have ended and were paid. `spentUusd` includes `ambiguousUusd`: that
 * of calls of which nobody knows whether they were made.
 */
export interface Spend {
  role: CallRole;
  model: string;
  calls: number;
  spentUusd: number;
  ambiguousUusd: number;
  inputTokens: number;
  outputTokens: number;
}

/**
 * Every model call with what it may cost before it leaves and what it did cost after. At all times, for a run and for a job,
 * spent plus reserved is within the budget: the database itself refuses anything else.
 */
export class Ledger {
  readonly #db: Database;
  readonly #events: Events;
  readonly #refused = new Set<RunId>();

  constructor(db: Database, events: Events) {
    this.#db = db;
    this.#events = events;
  }

  /**
   * Holds the worst price of a call, before it leaves. Returns the call's id. When the run's budget is so far used up that
   * the call would not fit even alone, a notice `budget-refused` is appended once, which ends the run at its next decision.
   *
   * @throws StaleLease
   * @throws BudgetExceeded nothing was reserved; `final` says whether waiting for calls under way can help
   */
  reserve(call: Reservation): number {
    try {
      return this.#db.write(() => this.#reserve(call));
    } catch (error) {
      if (error instanceof BudgetExceeded && error.scope === 'run' && error.final) this.#noticeRefusal(call, error);
      throw error;
    }
  }

  /** Whether a call of the run was refused for good, with its notice, since the archive was opened. */
  refused(runId: RunId): boolean {
    return this.#refused.has(runId);
  }

  /** From now on the call may have been processed. Stored before its first byte leaves. */
  sent(callId: number): void {
    this.#db.write(() => {
      const moved = this.#db.run(`UPDATE calls SET state = 'sent' WHERE id = ? AND state = 'reserved'`, callId).changes;
      if (moved === 0) throw new NotFound(`There is no model call ${callId} that was reserved and not yet sent.`);
    });
  }

  /**
   * The call was answered. A call that cost more than was reserved is charged in full as far as its run and its job have budget
   * left, and a notice `ledger-overrun` says so: the budget holds.
   */
  settle(callId: number, settlement: Settlement): void {
    this.#db.write(() => {
      const call = this.#open(callId);
      const { spentUusd, inputTokens, outputTokens, latencyMs, replyBlob } = settlement;
      const chargedUusd = Math.min(spentUusd, call.reserved_uusd + this.#freeUusd(call));
      this.#db.run(
        `UPDATE calls SET state = 'settled', spent_uusd = ?, input_tokens = ?, output_tokens = ?, latency_ms = ?, reply_blob = ? WHERE id = ?`,
        ...[chargedUusd, inputTokens, outputTokens, latencyMs, replyBlob, callId],
      );
      this.#charge(call, chargedUusd);
      this.#tally(call, { chargedUusd, ambiguousUusd: 0, inputTokens, outputTokens });
      if (spentUusd > call.reserved_uusd) this.#noticeOverrun(call, spentUusd, chargedUusd);
    });
  }

  /** The call left and nobody knows what became of it: the whole reserve is charged. */
  ambiguous(callId: number, { latencyMs }: { latencyMs: number | null }): void {
    this.#db.write(() => {
      const call = this.#open(callId);
      const sql = `UPDATE calls SET state = 'ambiguous', spent_uusd = reserved_uusd, latency_ms = ? WHERE id = ?`;
      this.#db.run(sql, latencyMs, callId);
      this.#charge(call, call.reserved_uusd);
      const chargedUusd = call.reserved_uusd;
      this.#tally(call, { chargedUusd, ambiguousUusd: chargedUusd, inputTokens: 0, outputTokens: 0 });
    });
  }

  /** The call was surely not processed: the reserve is given back. */
  release(callId: number): void {
    this.#db.write(() => {
      const call = this.#open(callId);
      this.#db.run(`UPDATE calls SET state = 'released' WHERE id = ?`, callId);
      this.#charge(call, 0);
    });
  }

  /** Digest of the answer to the call that the worker made under this name by this lease, if it has been answered. */
  answered({ lease, requestDigest, name }: Pick<Reservation, 'lease' | 'requestDigest' | 'name'>): string | null {
    const row = this.#db.get<{ reply_blob: string | null }>(
      `SELECT reply_blob FROM calls WHERE job_id = ? AND request_digest = ? AND epoch = ? AND name = ? AND state = 'settled'`,
      ...[lease.jobId, requestDigest, lease.epoch, name ?? null],
    );
    return row?.reply_blob ?? null;
  }

  /** Of the answers that earlier leases of the job paid for the same request, the `nth` from 0, which need not be paid again. */
  recorded(request: {
    jobId: JobId;
    requestDigest: string;
    nth: number;
    beforeEpoch: number;
  }): { call: Call; replyBlob: string } | null {
    const row = this.#db.get<CallRow>(
      `SELECT * FROM calls WHERE job_id = ? AND request_digest = ? AND epoch < ? AND state = 'settled' AND replayed = 0
       AND reply_blob IS NOT NULL ORDER BY id LIMIT 1 OFFSET ?`,
      ...[request.jobId, request.requestDigest, request.beforeEpoch, request.nth],
    );
    return row?.reply_blob ? { call: toCall(row), replyBlob: row.reply_blob } : null;
  }

  /**
   * Keeps that a recorded answer was served again, at no cost.
   *
   * @throws StaleLease
   */
  replayed(call: Omit<Reservation, 'reservedUusd'> & { replyBlob: string }): void {
    this.#db.write(() => {
      const runId = this.#live(call.lease).run_id;
      this.#db.run(
        `INSERT INTO calls (run_id, job_id, epoch, role, model, request_digest, occurrence, state, reserved_uusd, replayed, reply_blob, name, at)
         VALUES (?, ?, ?, ?, ?, ?, ?, 'settled', 0, 1, ?, ?, ?)`,
        ...[runId, call.lease.jobId, call.lease.epoch, call.role, call.model, call.requestDigest, call.occurrence],
        ...[call.replyBlob, call.name ?? null, call.nowMs],
      );
    });
  }

  /** After a crash, when no call is under way: what was only reserved never left, what was sent may have been processed. */
  reconcile(nowMs: number): { released: number; ambiguous: number } {
    const sql = `SELECT * FROM calls INDEXED BY calls_open WHERE state IN ('reserved', 'sent')`;
    return this.#db.write(() => {
      const calls = this.#db.all<CallRow>(sql);
      for (const call of calls) this.#reconcileOne(call, nowMs);
      const ambiguous = calls.filter((call) => call.state === 'sent').length;
      return { released: calls.length - ambiguous, ambiguous };
    });
  }

  /** The job's calls, of all its leases, in the order in which they were made. */
  calls(jobId: JobId): Call[] {
    return this.#db.all<CallRow>('SELECT * FROM calls WHERE job_id = ? ORDER BY id', jobId).map(toCall);
  }

  /** In the time of as many rows as it returns, however many calls were made: they are counted as they end. */
  spend(runId: RunId): Spend[] {
    return this.#db.all<Spend>(
      `SELECT role, model, calls, spent_uusd AS spentUusd, ambiguous_uusd AS ambiguousUusd, input_tokens AS inputTokens,
         output_tokens AS outputTokens FROM spend WHERE run_id = ? ORDER BY role, model`,
      runId,
    );
  }

  #reserve(call: Reservation): number {
    const job = this.#live(call.lease);
    expectFits('job', job.budget_uusd, job.spent_uusd, job.reserved_uusd, call.reservedUusd);
    expectFits('run', job.run_budget, job.run_spent, job.run_reserved, call.reservedUusd);
    this.#db.run('UPDATE runs SET reserved_uusd = reserved_uusd + ? WHERE id = ?', call.reservedUusd, job.run_id);
    this.#db.run('UPDATE jobs SET reserved_uusd = reserved_uusd + ? WHERE id = ?', call.reservedUusd, call.lease.jobId);
    return this.#db.run(
      `INSERT INTO calls (run_id, job_id, epoch, role, model, request_digest, occurrence, state, reserved_uusd, name, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, 'reserved', ?, ?, ?)`,
      ...[job.run_id, call.lease.jobId, call.lease.epoch, call.role, call.model, call.requestDigest, call.occurrence],
      ...[call.reservedUusd, call.name ?? null, call.nowMs],
    ).lastId;
  }

  #live(lease: Lease): JobMoney {
    const job = this.#db.get<JobMoney>(
      `SELECT j.run_id, j.budget_uusd, j.spent_uusd, j.reserved_uusd,
         r.budget_uusd AS run_budget, r.spent_uusd AS run_spent, r.reserved_uusd AS run_reserved
       FROM jobs j JOIN runs r ON r.id = j.run_id WHERE j.id = ? AND j.epoch = ? AND j.state = 'leased'`,
      ...[lease.jobId, lease.epoch],
    );
    if (!job) throw new StaleLease(lease.jobId, lease.epoch);
    return job;
  }

  #open(callId: number): CallRow {
    const call = this.#db.get<CallRow>(`SELECT * FROM calls WHERE id = ? AND state IN ('reserved', 'sent')`, callId);
    if (!call) throw new NotFound(`There is no model call ${callId} under way.`);
    return call;
  }

  /** Turns the call's reserve into spend. A job that ended before its last call did is brought up to date. */
  #charge(call: CallRow, spentUusd: number): void {
    const amounts = [call.reserved_uusd, spentUusd];
    this.#db.run(
      'UPDATE runs SET reserved_uusd = reserved_uusd - ?, spent_uusd = spent_uusd + ? WHERE id = ?',
      ...amounts,
      call.run_id,
    );
    const job = this.#db.get<{ state: string; spent_uusd: number }>(
      'UPDATE jobs SET reserved_uusd = reserved_uusd - ?, spent_uusd = spent_uusd + ? WHERE id = ? RETURNING state, spent_uusd',
      ...amounts,
      call.job_id,
    );
    if (job?.state !== 'done' && job?.state !== 'cancelled') return;
    this.#db.run('UPDATE trials SET spent_uusd = ? WHERE id = ?', job.spent_uusd, call.job_id);
    this.#db.run('UPDATE proposals SET spent_uusd = ? WHERE id = ?', job.spent_uusd, call.job_id);
  }

  /** Adds a call that has ended to its run's spend. */
  #tally(call: CallRow, { chargedUusd, ambiguousUusd, inputTokens, outputTokens }: Tally): void {
    this.#db.run(
      `INSERT INTO spend (run_id, role, model, calls, spent_uusd, ambiguous_uusd, input_tokens, output_tokens)
       VALUES (?, ?, ?, 1, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET calls = calls + 1, spent_uusd = spent_uusd + excluded.spent_uusd,
         ambiguous_uusd = ambiguous_uusd + excluded.ambiguous_uusd, input_tokens = input_tokens + excluded.input_tokens,
         output_tokens = output_tokens + excluded.output_tokens`,
      ...[call.run_id, call.role, call.model, chargedUusd, ambiguousUusd, inputTokens, outputTokens],
    );
  }

  /** What the budgets of the call's run and job still have, beyond all that is spent and reserved. */
  #freeUusd(call: CallRow): number {
    const budgets = this.#db.all<{ freeUusd: number | null }>(
      `SELECT budget_uusd - spent_uusd - reserved_uusd AS freeUusd FROM runs WHERE id = ?
       UNION ALL SELECT budget_uusd - spent_uusd - reserved_uusd FROM jobs WHERE id = ?`,
      ...[call.run_id, call.job_id],
    );
    return Math.min(...budgets.map(({ freeUusd }) => freeUusd ?? Number.POSITIVE_INFINITY));
  }

  #reconcileOne(call: CallRow, nowMs: number): void {
    if (call.state !== 'sent') {
      this.release(call.id);
      return;
    }
    this.ambiguous(call.id, { latencyMs: null });
    const message = `A model call of ${call.job_id} was under way when the service ended; ${call.reserved_uusd} micro-dollars are charged for it.`;
    this.#events.notice(call.run_id, 'warning', 'call-ambiguous', message, nowMs);
  }

  #noticeOverrun(call: CallRow, spentUusd: number, chargedUusd: number): void {
    const beyond = spentUusd - call.reserved_uusd;
    const charged = chargedUusd - call.reserved_uusd;
    const message =
      `A call of ${call.job_id} to ${call.model} cost ${beyond} micro-dollars more than its worst price, of which the budgets ` +
      `had room for ${charged}: check the model's prices and limits.`;
    this.#events.notice(call.run_id, 'warning', 'ledger-overrun', message, call.at);
  }

  #noticeRefusal(call: Reservation, error: BudgetExceeded): void {
    const runId = this.#db.get<{ run_id: RunId }>('SELECT run_id FROM jobs WHERE id = ?', call.lease.jobId)?.run_id;
    if (!runId || this.#refused.has(runId)) return;
    this.#events.notice(runId, 'info', 'budget-refused', error.message, call.nowMs);
    this.#refused.add(runId);
  }
}

function expectFits(
  scope: BudgetScope,
  limitUusd: number | null,
  spentUusd: number,
  reservedUusd: number,
  askedUusd: number,
): void {
  if (limitUusd === null || spentUusd + reservedUusd + askedUusd <= limitUusd) return;
  throw new BudgetExceeded(scope, { limitUusd, spentUusd, reservedUusd, askedUusd });
}

interface JobMoney {
  run_id: RunId;
  budget_uusd: number | null;
  spent_uusd: number;
  reserved_uusd: number;
  run_budget: number | null;
  run_spent: number;
  run_reserved: number;
}

/** What one ended call adds to its run's spend. */
interface Tally {
  chargedUusd: number;
  ambiguousUusd: number;
  inputTokens: number;
  outputTokens: number;
}

interface CallRow {
  id: number;
  run_id: RunId;
  job_id: JobId;
  epoch: number;
  role: CallRole;
  model: string;
  request_digest: string;
  occurrence: number;
  state: z.infer<typeof CallState>;
  reserved_uusd: number;
  spent_uusd: number;
  input_tokens: number | null;
  output_tokens: number | null;
  latency_ms: number | null;
  replayed: number;
  reply_blob: string | null;
  at: number;
}

function toCall(row: CallRow): Call {
  return {
    id: row.id,
    runId: row.run_id,
    jobId: row.job_id,
    epoch: row.epoch,
    role: row.role,
    model: row.model,
    requestDigest: row.request_digest,
    occurrence: row.occurrence,
    state: row.state,
    reservedUusd: row.reserved_uusd,
    spentUusd: row.spent_uusd,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    latencyMs: row.latency_ms,
    replayed: row.replayed === 1,
    at: row.at,
  };
}
