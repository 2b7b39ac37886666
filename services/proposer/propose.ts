import type { CallRole, ProposalResult } from '#archive/schema.ts';
import type { EgressPermit } from '#sandbox/egress/policy.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { Limits, SandboxLabels } from '#sandbox/schema.ts';
import { type AgentProgram, agentImage, readAgent } from '#services/evaluator/agent-program.ts';
import type { PatchDefect } from '#services/evaluator/patch.ts';
import { assertModelAnswered, type Solved, solve } from '#services/evaluator/solve.ts';
import { joinSections } from '#services/evaluator/transcript.ts';
import type { Progress, ProposalJob, Staged } from '#services/worker/control-client.ts';
import { diagnose } from './diagnose.ts';
import { type Diagnosis, selfEditInstruction } from './prompts.ts';
import { checkViability } from './viability.ts';

export interface ProposeDeps {
  driver: SandboxDriver;
  /** What sandboxes may reach at most, for the task that a child is tried on. By default nothing. */
  egress?: EgressPermit;
  /** Ids of the GPUs that were leased for that task. By default none. */
  gpus?: readonly string[];
  /** Tar of an agent's source. */
  source: (tree: string) => Promise<Uint8Array>;
  /** Has control apply the patch to the parent in a worktree of its own. */
  stage: (patch: string) => Promise<Staged>;
  model: (role: CallRole, request: Request) => Promise<Response>;
  /** Told what happens now. */
  report: (stage: Progress['stage'], detail: string) => void;
  signal: AbortSignal;
}

/**
 * Makes one attempt at a child: evidence to diagnosis, diagnosis to a self-edit, and the child through every step of
 * viability. What the agent did is in the result.
 * @throws the harness's trouble: no sandbox, no model, the signal.
 */
export async function propose(job: ProposalJob, deps: ProposeDeps): Promise<ProposalResult> {
  const draft: Draft = { title: null, diagnosis: null, patch: null, steps: [], sections: [] };
  const ended = await attempt(job, deps, draft);
  const { sections, ...kept } = draft;
  return { kind: 'proposal', tree: null, ...kept, ...ended, transcript: joinSections(sections) };
}

/** What is known so far; an attempt that ends early keeps it. */
interface Draft extends Pick<ProposalResult, 'title' | 'diagnosis' | 'patch' | 'steps'> {
  sections: { title: string; text: string }[];
}

interface Ended extends Pick<ProposalResult, 'outcome' | 'reason'> {
  tree?: string;
}

async function attempt(job: ProposalJob, deps: ProposeDeps, draft: Draft): Promise<Ended> {
  deps.report('preparing', 'the parent');
  const parent = readAgent(await deps.source(job.parent.tree));
  const diagnosed = await diagnoseParent(job, parent, deps, draft);
  if ('outcome' in diagnosed) return diagnosed;
  deps.report('editing', diagnosed.title);
  const solved = await editSource(job, parent, diagnosed, deps);
  draft.sections.push({ title: 'self-edit', text: solved.transcript });
  draft.patch = solved.taken.patch;
  const patch = solved.taken.patch ?? '';
  if (patch === '') {
    assertModelAnswered(solved);
    return withoutPatch(solved);
  }
  const staged = await stagePatch(patch, deps, draft);
  return 'outcome' in staged ? staged : checkChild(job, parent, staged.tree, deps, draft);
}

async function diagnoseParent(
  job: ProposalJob,
  parent: AgentProgram,
  deps: ProposeDeps,
  draft: Draft,
): Promise<Diagnosis | Ended> {
  deps.report('diagnosing', job.evidence.kind);
  const material = { source: parent.files, evidence: job.evidence.kind, past: job.past, tried: job.tried };
  const diagnosed = await diagnose(job.spec.models.diagnosis, material, deps);
  draft.sections.push({ title: 'diagnosis', text: diagnosed.answer });
  if (diagnosed.diagnosis === null) return { outcome: 'no-diagnosis', reason: diagnosed.reason };
  draft.title = diagnosed.diagnosis.title;
  draft.diagnosis = diagnosed.diagnosis.improvement;
  return diagnosed.diagnosis;
}

/** The editor, which is the parent but for a baseline, works on the parent's source like on any other repository. */
async function editSource(
  job: ProposalJob,
  parent: AgentProgram,
  diagnosis: Diagnosis,
  deps: ProposeDeps,
): Promise<Solved> {
  const isParent = job.editor.tree === job.parent.tree;
  const agent = isParent ? parent : readAgent(await deps.source(job.editor.tree));
  const assignment = {
    agent,
    image: agentImage,
    workspace: parent.files,
    instruction: selfEditInstruction(diagnosis, parent.manifest.test),
    hints: [],
    model: job.spec.models.selfEdit,
    ...placeOf(job),
    solveMs: job.spec.limits.proposalSeconds * 1000,
  };
  return solve(assignment, { ...deps, forward: (request) => deps.model('selfEdit', request) });
}

/** How an edit ended that left no change behind, or none that could be looked at. */
function withoutPatch({ taken, ended, exitCode }: Solved): Ended {
  if (taken.patch === null && taken.defect !== 'lost')
    return { outcome: refusals[taken.defect.kind], reason: taken.detail };
  const what = taken.patch === null ? taken.detail : 'The self-edit changed nothing.';
  if (ended === 'timeout') return { outcome: 'timeout', reason: `The self-edit ran out of time. ${what}` };
  if (ended === 'crashed')
    return { outcome: 'crashed', reason: `The self-edit ended with exit code ${exitCode}. ${what}` };
  return { outcome: taken.patch === null ? 'crashed' : 'empty', reason: what };
}

const refusals = {
  'too-large': 'too-large',
  binary: 'forbidden-path',
  'forbidden-path': 'forbidden-path',
  malformed: 'does-not-apply',
} as const satisfies Record<PatchDefect['kind'], ProposalResult['outcome']>;

async function stagePatch(patch: string, deps: ProposeDeps, draft: Draft): Promise<{ tree: string } | Ended> {
  deps.report('checking', 'apply');
  const startedMs = Date.now();
  const staged = await deps.stage(patch);
  const durationMs = Date.now() - startedMs;
  const failedAt = 'rejected' in staged ? rejectedAt[staged.rejected] : stagedSteps.length;
  for (const [at, step] of stagedSteps.slice(0, failedAt + 1).entries()) {
    const passed = at < failedAt;
    draft.steps.push({
      step,
      passed,
      detail: passed || 'tree' in staged ? 'ok' : staged.detail,
      durationMs: at === 0 ? durationMs : 0,
    });
  }
  return 'rejected' in staged ? { outcome: staged.rejected, reason: staged.detail } : staged;
}

/** The steps that control takes when it stages a patch, and which of them each refusal comes from. */
const stagedSteps = ['apply', 'paths', 'duplicate'] as const;
const rejectedAt = { empty: 0, 'does-not-apply': 0, 'forbidden-path': 1, 'too-large': 1, duplicate: 2 } as const;

async function checkChild(
  job: ProposalJob,
  parent: AgentProgram,
  tree: string,
  deps: ProposeDeps,
  draft: Draft,
): Promise<Ended> {
  const candidate = {
    source: await deps.source(tree),
    needsTests: parent.manifest.test !== undefined,
    smokeTask: job.smokeTask,
    gpus: deps.gpus ?? [],
    models: job.spec.models,
    ...placeOf(job),
    solveMs: job.spec.limits.trialSeconds * 1000,
  };
  const { outcome, reason, steps, sections } = await checkViability(candidate, deps);
  draft.steps.push(...steps);
  draft.sections.push(...sections);
  return outcome === 'viable' ? { outcome, reason: 'It passed every step.', tree } : { outcome, reason };
}

function placeOf({ spec, owner, runId, lease }: ProposalJob): { limits: Limits; labels: SandboxLabels } {
  const { cpus, memoryMiB, pids, diskMiB } = spec.limits;
  return {
    limits: { cpus, memoryMiB, pids, diskMiB },
    labels: { owner, run: runId, job: lease.jobId, epoch: lease.epoch },
  };
}
