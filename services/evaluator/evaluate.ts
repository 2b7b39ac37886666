import type { TrialOutcome, TrialResult } from '#archive/schema.ts';
import type { Task } from '#benchmarks/schema.ts';
import { solverView } from '#benchmarks/task.ts';
import type { Limits, SandboxLabels } from '#sandbox/schema.ts';
import type { Progress } from '#services/worker/control-client.ts';
import { BrokenAgent, readAgent } from './agent-program.ts';
import { auditTranscript } from './audit.ts';
import { gradePatch, type PatchVerdict } from './grade-patch.ts';
import { assertModelAnswered, type SolveDeps, type Solved, solve } from './solve.ts';
import { atLeast } from './task-limits.ts';
import { cutMiddle, withoutControls } from './transcript.ts';

/** One agent on one task. */
export interface TrialPlan {
  /** Tar of the agent's source. */
  source: Uint8Array;
  task: Task;
  model: string;
  limits: Limits;
  labels: SandboxLabels;
  /** How long the agent may work on each try; the tests have a limit of their own. */
  trialMs: number;
  gpus?: readonly string[];
}

export interface EvaluateDeps extends SolveDeps {
  /** Told what happens now. */
  report: (stage: Progress['stage'], detail: string) => void;
}

/**
 * Solves a task in one sandbox and grades the patch in a fresh one. Where the task allows two tries, an agent that ended by
 * itself with a patch that fails gets what the tests printed and goes on from its patch.
 * @throws the harness's trouble, never an agent's outcome.
 */
export async function evaluate(plan: TrialPlan, deps: EvaluateDeps): Promise<TrialResult> {
  let tried = await tryOnce(plan, null, deps);
  for (let more = plan.task.tries - 1; more > 0 && mayGoOn(tried); more -= 1) {
    tried = joined(tried, await tryOnce(plan, tried, deps));
  }
  const { solved, verdict } = tried;
  const settlement = verdict === null ? settleWithoutGrade(solved) : settleGraded(solved, verdict);
  if (settlement.outcome !== 'resolved') assertModelAnswered(solved);
  return result(tried, settlement);
}

/** One try: what the agent left, and the verdict on its patch if it left any. */
interface Tried {
  solved: Solved;
  verdict: PatchVerdict | null;
}

interface Settlement {
  outcome: TrialOutcome;
  reason: string;
}

async function tryOnce(plan: TrialPlan, before: Tried | null, deps: EvaluateDeps): Promise<Tried> {
  deps.report('solving', plan.task.id);
  const solved = await solveTask(plan, before, deps);
  const patch = solved.taken.patch ?? '';
  if (patch === '') return { solved, verdict: null };
  deps.report('grading', plan.task.id);
  const { task, limits, labels, gpus } = plan;
  return { solved, verdict: await gradePatch(task, patch, { limits, labels, gpus }, deps) };
}

function mayGoOn({ solved, verdict }: Tried): boolean {
  return verdict?.kind === 'graded' && !verdict.grade.resolved && solved.ended === 'exited';
}

function joined(first: Tried, second: Tried): Tried {
  const transcript = `${first.solved.transcript}\n=== second try ===\n${second.solved.transcript}`;
  const durationMs = first.solved.durationMs + second.solved.durationMs;
  return { ...second, solved: { ...second.solved, transcript, durationMs } };
}

/** Characters of what the tests printed that a second try is told. */
const MAX_SHOWN_CHARS = 20_000;

async function solveTask(plan: TrialPlan, before: Tried | null, deps: EvaluateDeps): Promise<Solved> {
  const { model, labels, gpus, trialMs: solveMs } = plan;
  const limits = atLeast(plan.limits, plan.task.needs);
  const view = solverView(plan.task);
  const instruction = view.instruction + (before?.verdict ? secondInstruction(before.verdict) : '');
  const startPatch = before?.solved.taken.patch ?? '';
  try {
    const agent = readAgent(plan.source);
    const { network } = plan.task;
    return await solve(
      { ...view, network, instruction, startPatch, agent, model, limits, labels, gpus, solveMs },
      deps,
    );
  } catch (error) {
    if (error instanceof BrokenAgent) return neverStarted(error.message);
    throw error;
  }
}

function secondInstruction({ log }: PatchVerdict): string {
  const shown = cutMiddle(withoutControls(log), MAX_SHOWN_CHARS);
  return `\n\n# Second try\n\nYour change is in place, and tests fail with it. This is what they print:\n\n\`\`\`\n${shown}\n\`\`\`\n\nThe tests are right. Correct your change.\n`;
}

function neverStarted(detail: string): Solved {
  return {
    ended: 'crashed',
    exitCode: null,
    taken: { patch: null, defect: 'lost', detail },
    transcript: `${detail}\n`,
    modelTrouble: null,
    durationMs: 0,
  };
}

/** The outcome of a trial that left no change behind, or none that could be looked at. */
function settleWithoutGrade({ taken, ended, exitCode }: Solved): Settlement {
  if (taken.patch === null && taken.defect !== 'lost') return { outcome: 'bad-patch', reason: taken.detail };
  const what = taken.patch === null ? taken.detail : 'It changed nothing.';
  if (ended === 'timeout') return { outcome: 'timeout', reason: `It ran out of time. ${what}` };
  if (ended === 'crashed')
    return { outcome: 'crashed', reason: exitCode === null ? what : `It ended with exit code ${exitCode}. ${what}` };
  return { outcome: taken.patch === null ? 'crashed' : 'empty-patch', reason: what };
}

/** A patch left behind by a timeout or a crash counts when it solves the task; else the trial goes by how the agent ended. */
function settleGraded(solved: Solved, verdict: PatchVerdict): Settlement {
  if (verdict.kind !== 'graded') return { outcome: verdict.kind, reason: verdict.reason };
  const { resolved, reason } = verdict.grade;
  if (resolved) return { outcome: 'resolved', reason };
  if (solved.ended === 'timeout') return { outcome: 'timeout', reason: `It ran out of time; its patch: ${reason}` };
  if (solved.ended === 'crashed')
    return { outcome: 'crashed', reason: `It ended with exit code ${solved.exitCode}; its patch: ${reason}` };
  return { outcome: 'unresolved', reason };
}

function result({ solved, verdict }: Tried, settlement: Settlement): TrialResult {
  return {
    kind: 'trial',
    ...settlement,
    y: verdict?.kind === 'graded' ? verdict.grade.y : 0,
    patch: solved.taken.patch,
    transcript: solved.transcript,
    graderLog: verdict === null ? null : storedLog(verdict),
    grading: verdict === null ? null : { ...verdict.notes, audit: auditTranscript(solved.transcript) },
    solveMs: solved.durationMs,
    gradeMs: verdict?.durationMs ?? 0,
  };
}

/** Characters of a grader's log that are stored. */
const MAX_LOG_CHARS = 1_000_000;

/** The log behind what was noticed of the patch. */
function storedLog({ notes, log }: PatchVerdict): string {
  const whole = notes.wholePatch;
  const lines = [
    ...notes.removed.map(({ path, rule }) => `Left out of the patch: ${path} (${rule})`),
    ...notes.flagged.map(({ path, rule }) => `Noticed in the patch: ${path} (${rule})`),
    ...(whole ? [`With nothing left out it is ${whole.resolved ? '' : 'not '}resolved: ${whole.reason}`] : []),
  ];
  const head = lines.length === 0 ? '' : `${cutMiddle(lines.join('\n'), 4_000)}\n\n`;
  return head + cutMiddle(withoutControls(log), MAX_LOG_CHARS);
}
