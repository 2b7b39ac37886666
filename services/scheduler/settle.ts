import type { Archive } from '#archive/archive.ts';
import { NotFound } from '#archive/errors.ts';
import { isTrial } from '#archive/jobs.ts';
import type { JobId, JobResult, Lease, ProposalId, ProposalResult, TrialResult } from '#archive/schema.ts';

/**
 * Writes a job's result into the archive: first its texts and the child's commit, which mean nothing until they are named, so
 * that all can be done again after a crash; then one transaction for everything that follows from the result. Many at once
 * take little longer than one: their texts share files, and their transactions the way to the disk.
 * @returns false when the lease was stale and nothing changed.
 */
export async function settle(archive: Archive, lease: Lease, result: JobResult, nowMs: number): Promise<boolean> {
  return result.kind === 'trial'
    ? settleTrial(archive, lease, result, nowMs)
    : settleProposal(archive, lease, result, nowMs);
}

/** Whether the result of this very lease is in already: whoever holds it asks again when the answer got lost. */
export function isSettledBy({ jobs, trials, proposals }: Archive, { jobId, epoch }: Lease): boolean {
  const job = jobs.get(jobId);
  if (job?.state !== 'done' || job.epoch !== epoch) return false;
  // Set aside, a job is done as well.
  return (isTrial(jobId) ? trials.get(jobId) : proposals.get(jobId))?.outcome !== 'infra';
}

async function settleTrial(archive: Archive, lease: Lease, result: TrialResult, nowMs: number): Promise<boolean> {
  const { patch, transcript, graderLog } = result;
  const blobs = await archive.blobs.writeAll({ patch, transcript, graderLog });
  return archive.sharedTransaction(() => archive.trials.settle(lease, result, blobs, nowMs));
}

async function settleProposal(archive: Archive, lease: Lease, result: ProposalResult, nowMs: number): Promise<boolean> {
  const proposalId = proposalIdOf(lease.jobId);
  const { patch, transcript } = result;
  const blobs = await archive.blobs.writeAll({ patch, transcript });
  const child = await commitChild(archive, proposalId, result);
  const settled = await archive.sharedTransaction(() => archive.proposals.settle(lease, result, blobs, child, nowMs));
  if (settled && child !== null) await nameChild(archive, proposalId, child.commit);
  return settled;
}

async function commitChild(archive: Archive, proposalId: ProposalId, result: ProposalResult) {
  if (result.outcome !== 'viable' || result.tree === null) return null;
  const proposal = archive.proposals.get(proposalId);
  const parent = proposal === null ? null : archive.agents.get(proposal.parentId);
  if (proposal === null || parent === null) throw new NotFound(`there is no proposal ${proposalId} in the archive`);
  const summary = result.title ?? `Proposal ${proposal.ordinal}`;
  const { commit } = await archive.repository.commit({
    parentCommit: parent.commit,
    tree: result.tree,
    summary,
    body: result.diagnosis ?? '',
    ordinal: proposal.ordinal,
  });
  return { commit, tree: result.tree, summary };
}

/** The ref is only a name for what the database holds; after a crash in between, the reconciler sets it. */
async function nameChild(archive: Archive, proposalId: ProposalId, commit: string) {
  const agentId = archive.proposals.get(proposalId)?.agentId;
  if (agentId) await archive.repository.setAgentRef(agentId, commit);
}

function proposalIdOf(jobId: JobId): ProposalId {
  if (isTrial(jobId)) throw new TypeError(`${jobId} is a trial, and its result is a proposal's`);
  return jobId;
}
