import type { Archive } from '#archive/archive.ts';
import { DiskFull, NotFound, StaleLease } from '#archive/errors.ts';
import { isTrial } from '#archive/jobs.ts';
import type {
  CallRole,
  JobId,
  Lease,
  Proposal,
  ProposalId,
  Run,
  RunId,
  RunSpec,
  Trial,
  TrialId,
} from '#archive/schema.ts';
import type { Suite, Task } from '#benchmarks/schema.ts';
import type { Gateway } from '#services/gateway/gateway.ts';
import type { Log } from '#services/log.ts';
import type { ClaimedJob, ControlClient, PastTrial, Progress } from '#services/worker/control-client.ts';
import type { DiskWatch } from './disk-watch.ts';
import type { HarnessBreaker } from './harness-breaker.ts';
import { LEASE_MS } from './lease-sweep.ts';
import { ReturnedJobs } from './returned-jobs.ts';
import { smokeTaskOf } from './run-suite.ts';
import { mayRunBare } from './serving.ts';
import { isSettledBy, settle } from './settle.ts';

export interface ControlDependencies {
  archive: Archive;
  gateway: Gateway;
  suite: (runId: RunId) => Promise<Suite>;
  clock: () => number;
  log: Log;
  disk: DiskWatch;
  breaker: HarnessBreaker;
  /** Whether a worker may take a job. */
  mayClaim: (jobId: JobId, worker: string) => boolean;
  onProgress: (progress: Progress) => void;
  /** Of a proposal under way: those from the same parent that had settled when it began. */
  settledBefore: (runId: RunId, proposal: ProposalId) => readonly ProposalId[];
}

/** What workers may ask of the control process. In embedded mode a worker holds this object itself. */
export function createControl({
  archive,
  gateway,
  suite,
  clock,
  log,
  disk,
  breaker,
  mayClaim,
  onProgress,
  settledBefore,
}: ControlDependencies): ControlClient {
  const returned = new ReturnedJobs({ archive, disk, breaker, clock });

  return {
    async claim(jobId, worker) {
      if (disk.full() !== null || !mayClaim(jobId, worker)) return null;
      const lease = await together(() => archive.jobs.claim(jobId, worker, LEASE_MS, clock()));
      if (lease === null) return null;
      try {
        return await describe(lease);
      } catch (error) {
        log.error({ err: error, jobId }, 'describing the job failed');
        await this.release(lease, error instanceof Error ? error.message : String(error), true);
        return null;
      }
    },

    renew: (lease) => together(() => archive.jobs.renew(lease, LEASE_MS, clock())),

    source: (tree) => archive.repository.sourceTar(tree).catch(refusedByDisk),

    async stage(lease, parentCommit, patch) {
      if (!archive.jobs.holds(lease)) throw new StaleLease(lease.jobId, lease.epoch);
      const staged = await archive.repository.stage({ parentCommit, patch }).catch(refusedByDisk);
      if ('rejected' in staged) return staged;
      const twin = archive.agents.byTree(jobOf(lease.jobId).runId, staged.tree);
      return twin === null ? staged : { rejected: 'duplicate', detail: `the same source as agent ${twin.id}` };
    },

    async model(lease, role, request) {
      const { runId } = jobOf(lease.jobId);
      const { spec } = runOf(runId);
      const models = modelsFor(role, spec);
      return gateway.handle({ lease, runId, role, models, seed: spec.randomSeed, request });
    },

    report(lease, progress) {
      if (archive.jobs.holds(lease)) onProgress(progress);
    },

    async complete(lease, result) {
      const settled = await settle(archive, lease, result, clock()).catch(refusedByDisk);
      if (settled) breaker.reset(jobOf(lease.jobId).runId);
      return settled || isSettledBy(archive, lease);
    },

    async release(lease, reason, infra) {
      watched(() => (infra ? returned.failed(lease, reason) : returned.givenBack(lease, reason)));
    },
  };

  /** With what others write now: one sync to disk for all. */
  function together<T>(write: () => T): Promise<T> {
    return archive.sharedTransaction(write).catch(refusedByDisk);
  }

  /** Whatever is refused for want of room makes the watch look for room again before anything is begun. */
  function watched<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      return refusedByDisk(error);
    }
  }

  function refusedByDisk(error: unknown): never {
    if (error instanceof DiskFull) disk.refused();
    throw error;
  }

  function jobOf(jobId: JobId) {
    return archive.jobs.get(jobId) ?? notFound(`job ${jobId}`);
  }

  function runOf(runId: RunId): Run {
    return archive.runs.get(runId) ?? notFound(`run ${runId}`);
  }

  async function describe(lease: Lease): Promise<ClaimedJob> {
    const { jobId } = lease;
    if (isTrial(jobId)) return describeTrial(lease, archive.trials.get(jobId) ?? notFound(`trial ${jobId}`));
    return describeProposal(lease, archive.proposals.get(jobId) ?? notFound(`proposal ${jobId}`));
  }

  async function describeTrial(lease: Lease, trial: Trial): Promise<ClaimedJob> {
    const run = runOf(trial.runId);
    const { tasks } = await suite(run.id);
    const agent = archive.agents.get(trial.agentId) ?? notFound(`agent ${trial.agentId}`);
    return {
      kind: 'trial',
      ...common(lease, run),
      agent: { id: agent.id, tree: agent.tree },
      task: tasks.find(({ id }) => id === trial.task) ?? notFound(`task ${trial.task} of suite ${run.spec.suite}`),
      model: run.spec.models.trial,
    };
  }

  async function describeProposal(lease: Lease, proposal: Proposal): Promise<ClaimedJob> {
    const run = runOf(proposal.runId);
    const { tasks } = await suite(run.id);
    const parent = archive.agents.get(proposal.parentId) ?? notFound(`agent ${proposal.parentId}`);
    const editor = archive.agents.get(proposal.editorId) ?? notFound(`agent ${proposal.editorId}`);
    return {
      kind: 'proposal',
      ...common(lease, run),
      parent: { id: parent.id, commit: parent.commit, tree: parent.tree },
      editor: { id: editor.id, tree: editor.tree },
      evidence: proposal.evidence,
      past: proposal.evidence.trialIds.map((id) => pastTrial(id, tasks)),
      tried: triedBefore(proposal),
      smokeTask: smokeTaskOf(run.spec, searchedBy(run, tasks)),
    };
  }

  /** As the run was told when it began, so that a child never meets a task that is held out. */
  function searchedBy({ id }: Run, tasks: Task[]): Task[] {
    const searched = new Set(archive.runs.tasks(id).tasks);
    return tasks.filter((task) => searched.has(task.id));
  }

  function common(lease: Lease, run: Run) {
    const spec = { ...run.spec, allowUnsandboxed: mayRunBare(run.spec, archive.runs.prices(run.id)) };
    return { lease, leaseMs: LEASE_MS, runId: run.id, spec, owner: archive.ownerId };
  }

  function pastTrial(id: TrialId, tasks: Task[]): PastTrial {
    const trial = archive.trials.get(id) ?? notFound(`trial ${id}`);
    const text = (digest: string | null) => (digest === null ? null : archive.blobs.readText(digest));
    return {
      task: trial.task,
      instruction: tasks.find((task) => task.id === trial.task)?.instruction ?? '',
      outcome: trial.outcome,
      y: trial.y,
      patch: text(trial.patchBlob),
      transcript: text(trial.transcriptBlob) ?? '',
    };
  }

  /** As it stood when the proposal began, so that a re-run of the job asks the model the same. */
  function triedBefore({ id, runId, parentId }: Proposal) {
    const settled = new Set(settledBefore(runId, id));
    return archive.proposals
      .list(runId, { parent: parentId })
      .filter((sibling) => settled.has(sibling.id))
      .flatMap(({ title, outcome }) => (title === null || outcome === null ? [] : [{ title, outcome }]));
  }
}

/** A viable child solves a task as in a trial, and edits itself as in a proposal. */
function modelsFor(role: CallRole, { models }: RunSpec): string[] {
  return role === 'viability' ? [...new Set([models.trial, models.selfEdit])] : [models[role]];
}

function notFound(what: string): never {
  throw new NotFound(`there is no ${what} in the archive`);
}
