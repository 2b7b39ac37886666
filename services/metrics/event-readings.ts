import { setImmediate as turn } from 'node:timers/promises';
import type { Archive } from '#archive/archive.ts';
import { LEASE_ENDED } from '#archive/jobs.ts';
import { type Event, type JobId, ProposalOutcome, TrialOutcome } from '#archive/schema.ts';
import type { Instruments } from './instruments.ts';

/** So many are read in about 5 ms; then others have their turn. */
const PAGE = 2_000;
/** Waiting jobs are remembered up to so many; the wait of further ones is not measured. */
const MOST_WAITING = 100_000;

/** Counts what happened, from `afterSeq` on. */
export class EventReadings {
  readonly #to: Instruments;
  readonly #events: Archive['events'];
  /** When each waiting job became ready. */
  readonly #readySince = new Map<JobId, number>();
  #seq: number;

  constructor(to: Instruments, events: Archive['events'], afterSeq: number) {
    this.#to = to;
    this.#events = events;
    this.#seq = afterSeq;
    for (const outcome of TrialOutcome.options) to.trialsSettled.inc({ outcome }, 0);
    for (const outcome of ProposalOutcome.options) to.proposalsSettled.inc({ outcome }, 0);
  }

  /** Up to the newest event there is when it is called, and perhaps further. */
  async read(): Promise<void> {
    for (;;) {
      const page = this.#events.after({ seq: this.#seq, limit: PAGE });
      for (const event of page) this.#count(event);
      this.#seq = page.at(-1)?.seq ?? this.#seq;
      if (page.length < PAGE) return;
      await turn();
    }
  }

  #count({ data, at }: Event): void {
    const to = this.#to;
    if (data.kind === 'trial-begun') this.#ready(data.trial, at);
    if (data.kind === 'proposal-begun') this.#ready(data.proposal, at);
    if (data.kind === 'job-claimed') this.#claimed(data.job, data.worker, at);
    if (data.kind === 'job-requeued') this.#requeued(data.job, data.reason, at);
    if (data.kind === 'trial-settled') this.#settled(data.trial, to.trialsSettled, data.outcome);
    if (data.kind === 'proposal-settled') this.#settled(data.proposal, to.proposalsSettled, data.outcome);
    if (data.kind === 'notice') to.notices.inc({ level: data.level, code: data.code });
  }

  #ready(job: JobId, atMs: number): void {
    if (this.#readySince.size < MOST_WAITING) this.#readySince.set(job, atMs);
  }

  #requeued(job: JobId, reason: string, atMs: number): void {
    this.#to.jobRequeues.inc();
    if (reason === LEASE_ENDED) this.#to.leaseExpirations.inc();
    this.#ready(job, atMs);
  }

  #claimed(job: JobId, worker: string, atMs: number): void {
    this.#to.jobsClaimed.inc({ worker });
    const sinceMs = this.#readySince.get(job);
    if (sinceMs === undefined) return;
    this.#readySince.delete(job);
    this.#to.jobWait.observe(Math.max(0, atMs - sinceMs) / 1000);
  }

  /** A job that was cancelled while it waited is claimed by nobody. */
  #settled(job: JobId, counter: Instruments['trialsSettled' | 'proposalsSettled'], outcome: string): void {
    this.#readySince.delete(job);
    counter.inc({ outcome });
  }
}
