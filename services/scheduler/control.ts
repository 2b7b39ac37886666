import type { Archive } from '#archive/archive.ts';
import { NotFound } from '#archive/errors.ts';
import { isTrial } from '#archive/jobs.ts';
import type { CallRole, JobId, Lease, Proposal, Run, RunId, RunSpec, Trial, TrialId } from '#archive/schema.ts';
import type { Suite, Task } from '#benchmarks/schema.ts';
import type { Gateway } from '#services/gateway/gateway.ts';
import { INFRA_HEADER } from '#services/gateway/infra-mark.ts';
import type { Log } from '#services/log.ts';
import type { ClaimedJob, ControlClient, PastTrial, Progress } from '#services/worker/control-client.ts';
import { smokeTaskOf } from './run-suite.ts';
import { settle } from './settle.ts';

/** How often the harness may fail at one job before the job is set aside. */
const INFRA_ATTEMPTS = 3;
const LEASE_MS = 6_000;

export interface ControlDependencies {
  archive: Archive;
  gateway: Gateway;
  suite: (runId: RunId) => Promise<Suite>;
  clock: () => number;
  log: Log;
  onProgress: (progress: Progress) => void;
  /** The harness failed at a job of this run (`false`: a job of it was completed). */
  onHarness: (runId: RunId, failed: boolean, reason: string) => void;
}

/** What workers may ask of the control process. In embedded mode a worker holds this object itself. */
export function createControl({
  archive,
  gateway,
  suite,
  clock,
  log,
  onProgress,
  onHarness,
}: ControlDependencies): ControlClient {
  /** Runs whose money cannot pay for the next call; the ledger has noted it, and their next decision is to finish. */
  const outOfMoney = new Set<RunId>();

  return {
    async claim(jobId, worker) {
      const lease = archive.jobs.claim(jobId, worker, LEASE_MS, clock());
      if (lease === null) return null;
      try {
        return await describe(lease);
      } catch (error) {
        log.error({ err: error, jobId }, 'describing the job failed');
        await this.release(lease, error instanceof Error ? error.message : String(error), true);
        return null;
      }
    },

    renew: async (lease) => archive.jobs.renew(lease, LEASE_MS, clock()),

    source: (tree) => archive.repository.sourceTar(tree),

    async stage(lease, parentCommit, patch) {
      const staged = await archive.repository.stage({ parentCommit, patch });
      if ('rejected' in staged) return staged;
      const twin = archive.agents.byTree(jobOf(lease.jobId).runId, staged.tree);
      return twin === null ? staged : { rejected: 'duplicate', detail: `the same source as agent ${twin.id}` };
    },

    async model(lease, role, request) {
      const { runId } = jobOf(lease.jobId);
      const { spec } = runOf(runId);
      const models = modelsFor(role, spec);
      const response = await gateway.handle({ lease, runId, role, models, seed: spec.randomSeed, request });
      if (response.status === 402 && response.headers.has(INFRA_HEADER)) outOfMoney.add(runId);
      return response;
    },

    report: (_lease, progress) => onProgress(progress),

    async complete(lease, result) {
      const settled = await settle(archive, lease, result, clock());
      if (settled) onHarness(jobOf(lease.jobId).runId, false, '');
      return settled;
    },

    async release(lease, reason, infra) {
      const job = jobOf(lease.jobId);
      if (infra && outOfMoney.has(job.runId)) {
        archive.jobs.setAside(lease, 'cancelled', "the run's money is used up", clock());
        return;
      }
      const failures = job.infraFailures + (infra ? 1 : 0);
      if (infra && failures >= INFRA_ATTEMPTS) archive.jobs.setAside(lease, 'infra', reason, clock());
      else
        archive.jobs.release(lease, { reason, infra, notBeforeMs: infra ? clock() + 500 * 2 ** failures : 0 }, clock());
      if (infra) onHarness(job.runId, true, reason);
    },
  };

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
      smokeTask: smokeTaskOf(run.spec, tasks),
    };
  }

  function common(lease: Lease, run: Run) {
    return { lease, leaseMs: LEASE_MS, runId: run.id, spec: run.spec, owner: archive.ownerId };
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
  function triedBefore(proposal: Proposal) {
    return archive.proposals
      .list(proposal.runId, { parent: proposal.parentId })
      .filter(
        ({ settledAt, ordinal }) => ordinal < proposal.ordinal && settledAt !== null && settledAt <= proposal.begunAt,
      )
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
