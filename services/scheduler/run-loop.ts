import type { Archive } from '#archive/archive.ts';
import type { DecisionOptions } from '#archive/decisions.ts';
import type { RunResources } from '#archive/runs.ts';
import type { Action, JobId, Run, RunId, RunState } from '#archive/schema.ts';
import { chooseEvidence } from '#services/proposer/evidence.ts';
import type { Queue } from '#services/queue/queue.ts';
import { CPU_CLASS } from '#services/resource-class.ts';
import { decide } from './decide.ts';
import { createPolicy } from './policies/policies.ts';
import type { Policy } from './policies/policy.ts';
import { evidenceRng } from './rng.ts';
import { cancelJobs } from './run-endings.ts';
import { foldEvents } from './run-figures.ts';
import { handsOutJobs } from './run-states.ts';
import { emptyStanding, type RunStanding } from './standing.ts';

/** Decisions that are stored together at most, so that nothing else waits long for them. */
const MOST_TOGETHER = 50;

/** The decisions of one run. Its picture of the run is the fold of the run's events, so it can be dropped and made again. */
export class RunLoop {
  readonly runId: RunId;
  readonly policy: Policy;
  standing: RunStanding = emptyStanding();
  #seq = 0;
  readonly #resources: RunResources;
  #archive: Archive;
  #queue: Queue;
  #clock: () => number;

  constructor(run: Run, { archive, queue, clock }: { archive: Archive; queue: Queue; clock: () => number }) {
    this.runId = run.id;
    this.policy = createPolicy(run.spec.policy);
    this.#resources = archive.runs.resources(run.id);
    this.#archive = archive;
    this.#queue = queue;
    this.#clock = clock;
  }

  /** Folds what happened and starts what there is room for. Called after every change; does nothing when nothing follows. */
  turn(): void {
    this.catchUp();
    const run = this.#run();
    if (run.state === 'pausing') this.#rest(run);
    if (run.state === 'stopping') this.#end(run);
    if (!handsOutJobs(run.state)) return;
    for (let begun = MOST_TOGETHER; begun === MOST_TOGETHER; ) begun = this.#beginSome(run);
  }

  /** Brings `standing` up to the last event. @throws what an event that cannot be folded throws; the next call folds all anew. */
  catchUp(): void {
    try {
      this.#seq = foldEvents(this.#archive, this.runId, this.standing, this.#seq);
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** The next look folds all anew. */
  #forget(): void {
    this.standing = emptyStanding();
    this.#seq = 0;
  }

  /** A pausing run has paused when nobody works on it; its jobs that are ready wait until it is resumed. */
  #rest({ id, reason }: Run): void {
    const held = this.#archive.jobs.open(id).some(({ state }) => state === 'leased');
    if (!held) this.#archive.runs.setState(id, 'paused', reason, this.#clock());
  }

  /** Whatever a stop that was cut short has left open is cancelled first. */
  #end({ id, reason }: Run): void {
    this.#archive.transaction(() => {
      cancelJobs(this.#archive, id, 'the run was stopped', this.#clock());
      this.#archive.runs.setState(id, 'stopped', reason, this.#clock());
    });
  }

  #underWay(): number {
    return this.standing.proposing + this.standing.evaluating;
  }

  #run(): Run {
    const run = this.#archive.runs.get(this.runId);
    if (run === null) throw new Error(`run ${this.runId} is gone from the archive`);
    return run;
  }

  /**
   * Decides until there is no more room, or for long enough. What is decided is stored as a whole before anybody hears of it:
   * one sync to disk for all. @returns how many jobs were begun.
   */
  #beginSome(run: Run): number {
    const jobs: JobId[] = [];
    try {
      this.#archive.transaction(() => {
        while (jobs.length < MOST_TOGETHER && this.#underWay() < run.spec.slots) {
          const job = this.#step(run);
          if (job === null) return;
          jobs.push(job);
          this.catchUp();
        }
      });
    } catch (error) {
      this.#forget();
      throw error;
    }
    for (const id of jobs) this.#ring(id);
    return jobs.length;
  }

  #ring(id: JobId): void {
    const job = this.#archive.jobs.get(id);
    if (job !== null) void this.#queue.ring({ jobId: id, resourceClass: job.resourceClass });
  }

  /** One decision. @returns the job that it began; null when there is no room for another. */
  #step({ spec, id, state }: Run): JobId | null {
    const started = performance.now();
    const decision = decide({
      runId: id,
      policy: this.policy,
      standing: this.standing,
      spec,
      nowMs: this.#clock(),
      asOfSeq: this.#seq,
    });
    if (decision.action.kind === 'wait') return null;
    const durationUs = Math.round((performance.now() - started) * 1_000);
    return this.#archive.decisions.record(
      { ...decision, durationUs },
      { ...this.#withJob(decision.action, decision.ordinal, spec), ...finishState(decision.action, state) },
    );
  }

  #withJob(action: Action, ordinal: number, spec: Run['spec']): Omit<DecisionOptions, 'state'> {
    const uusd = (usd: number | null) => (usd === null ? null : Math.floor(usd * 1e6));
    const { tasks = {}, proposals = CPU_CLASS } = this.#resources;
    if (action.kind !== 'propose') {
      const needs = action.kind === 'evaluate' && Object.hasOwn(tasks, action.task) ? tasks[action.task] : undefined;
      return { jobBudgetUusd: uusd(spec.limits.trialUsd), resourceClass: needs ?? CPU_CLASS };
    }
    const trials = this.#archive.trials.list(this.runId, { agent: action.parent }).filter(({ y }) => y !== null);
    return {
      evidence: chooseEvidence(trials, evidenceRng(spec.randomSeed, ordinal)),
      jobBudgetUusd: uusd(spec.limits.proposalUsd),
      resourceClass: proposals,
    };
  }
}

/** The first finish closes the run (what is under way ends, the champion is measured); the second ends it. */
function finishState(action: Action, state: RunState): { state?: RunState } {
  if (action.kind !== 'finish') return {};
  return { state: state === 'closing' ? 'finished' : 'closing' };
}
