import type {
  AgentId,
  CallRole,
  Evidence,
  JobId,
  JobResult,
  Lease,
  ProposalOutcome,
  RunId,
  RunSpec,
  Trial,
} from '#archive/schema.ts';
import type { Task } from '#benchmarks/schema.ts';

/** One past trial of the parent, as material for a diagnosis. Holds only what the agent itself saw. */
export interface PastTrial {
  task: string;
  instruction: string;
  outcome: Trial['outcome'];
  y: number | null;
  patch: string | null;
  transcript: string;
}

interface JobCommon {
  lease: Lease;
  leaseMs: number;
  runId: RunId;
  spec: RunSpec;
  /** The data directory's id, for sandbox labels. */
  owner: string;
}

/** A trial to do: one agent on one task. */
export interface TrialJob extends JobCommon {
  kind: 'trial';
  agent: { id: AgentId; tree: string };
  task: Task;
  model: string;
}

/** A proposal to make: the editor rewrites the parent's source. */
export interface ProposalJob extends JobCommon {
  kind: 'proposal';
  parent: { id: AgentId; commit: string; tree: string };
  editor: { id: AgentId; tree: string };
  evidence: Evidence;
  past: PastTrial[];
  /** What was tried from this parent before this proposal began, oldest first. */
  tried: { title: string; outcome: ProposalOutcome }[];
  smokeTask: Task;
}
export type ClaimedJob = TrialJob | ProposalJob;

/** What `stage` made of a patch: the tree of the would-be child, or the ladder's first steps' refusal. */
export type Staged =
  | { tree: string }
  | { rejected: 'empty' | 'does-not-apply' | 'forbidden-path' | 'too-large' | 'duplicate'; detail: string };

/** What a slot is doing now; shown live, not stored. */
export interface Progress {
  jobId: JobId;
  stage: 'preparing' | 'diagnosing' | 'editing' | 'checking' | 'solving' | 'grading';
  detail: string;
}

/**
 * A worker's only way to the control process: a direct call in embedded mode, HTTP otherwise. A worker holds no state.
 * Every call that names a lease is refused once the lease is stale.
 */
export interface ControlClient {
  /** Takes the job, or null when it is not to be had (taken, done, cancelled, not yet due). */
  claim(jobId: JobId, worker: string): Promise<ClaimedJob | null>;
  /** False: the lease is lost; stop at once. */
  renew(lease: Lease): Promise<boolean>;
  /** An agent's source, as a tar archive of its tree. */
  source(tree: string): Promise<Uint8Array>;
  /** Applies a self-edit in a worktree of control's own and checks it. */
  stage(lease: Lease, parentCommit: string, patch: string): Promise<Staged>;
  /** A model call of the job's sandbox (or of the proposer), for the gateway. `path` starts with `/v1/`. */
  model(lease: Lease, role: CallRole, request: Request): Promise<Response>;
  report(lease: Lease, progress: Progress): void;
  /** False: the lease was stale and nothing changed. Handing the same result in again is no harm, and true again. */
  complete(lease: Lease, result: JobResult): Promise<boolean>;
  /** Gives the job back. `infra`: the harness failed, not the agent. */
  release(lease: Lease, reason: string, infra: boolean): Promise<void>;
}
