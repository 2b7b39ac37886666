import type { Archive } from '#archive/archive.ts';
import type { Action, Evidence, Run, RunId, RunState } from '#archive/schema.ts';
import { chooseEvidence } from '#services/proposer/evidence.ts';
import type { Queue } from '#services/queue/queue.ts';
import { decide } from './decide.ts';
import { createPolicy } from './policies/policies.ts';
import type { Policy } from './policies/policy.ts';
import { evidenceRng } from './rng.ts';
import { cancelJobs } from './run-endings.ts';
import { foldEvents } from './run-figures.ts';
import { handsOutJobs } from './run-states.ts';
import { emptyStanding, type RunStanding } from './standing.ts';

/** The decisions of one run. Its picture of the run is the fold of the run's events, so it can be dropped and made again. */
export class RunLoop {
  readonly runId: RunId;
  readonly policy: Policy;
  standing: RunStanding = emptyStanding();
  #seq = 0;
  #archive: Archive;
  #queue: Queue;
  #clock: () => number;

  constructor(run: Run, { archive, queue, clock }: { archive: Archive; queue: Queue; clock: () => number }) {
    this.runId = run.id;
    this.policy = createPolicy(run.spec.policy);
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
    while (this.#underWay() < run.spec.slots && this.#step(run)) this.catchUp();
  }

  /** Brings `standing` up to the last event. @throws what an event that cannot be folded throws; the next call folds all anew. */
  catchUp(): void {
    try {
      this.#seq = foldEvents(this.#archive, this.runId, this.standing, this.#seq);
    } catch (error) {
      this.standing = emptyStanding();
      this.#seq = 0;
      throw error;
    }
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

  /** One decision. @returns whether there may be room for another. */
  #step({ spec, id, state }: Run): boolean {
    const started = performance.now();
    const decision = decide({
      runId: id,
      policy: this.policy,
      standing: this.standing,
      spec,
      nowMs: this.#clock(),
      asOfSeq: this.#seq,
    });
    if (decision.action.kind === 'wait') return false;
    const durationUs = Math.round((performance.now() - started) * 1_000);
    const jobId = this.#archive.decisions.record(
      { ...decision, durationUs },
      { ...this.#withJob(decision.action, decision.ordinal, spec), ...finishState(decision.action, state) },
    );
    const job = jobId === null ? null : this.#archive.jobs.get(jobId);
    if (job !== null) void this.#queue.ring({ jobId: job.id, resourceClass: job.resourceClass });
    return jobId !== null;
  }

  #withJob(action: Action, ordinal: number, spec: Run['spec']): { evidence?: Evidence; jobBudgetUusd: number | null } {
    const uusd = (usd: number | null) => (usd === null ? null : Math.floor(usd * 1e6));
    if (action.kind !== 'propose') return { jobBudgetUusd: uusd(spec.limits.trialUsd) };
    const trials = this.#archive.trials.list(this.runId, { agent: action.parent }).filter(({ y }) => y !== null);
    return {
      evidence: chooseEvidence(trials, evidenceRng(spec.randomSeed, ordinal)),
      jobBudgetUusd: uusd(spec.limits.proposalUsd),
    };
  }
}

/** The first finish closes the run (what is under way ends, the champion is measured); the second ends it. */
function finishState(action: Action, state: RunState): { state?: RunState } {
  if (action.kind !== 'finish') return {};
  return { state: state === 'closing' ? 'finished' : 'closing' };
}
