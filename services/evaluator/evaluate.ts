import type { TrialOutcome, TrialResult } from '#archive/schema.ts';
import type { Task } from '#benchmarks/schema.ts';
import { solverView } from '#benchmarks/task.ts';
import type { Limits, SandboxLabels } from '#sandbox/schema.ts';
import type { Progress } from '#services/worker/control-client.ts';
import { BrokenAgent, readAgent } from './agent-program.ts';
import { gradePatch, type PatchVerdict } from './grade-patch.ts';
import { assertModelAnswered, type SolveDeps, type Solved, solve } from './solve.ts';

/** One agent on one task. */
export interface TrialPlan {
  /** Tar of the agent's source. */
  source: Uint8Array;
  task: Task;
  model: string;
  limits: Limits;
  labels: SandboxLabels;
  /** How long the agent may work; the tests have a limit of their own. */
  trialMs: number;
  gpus?: readonly string[];
}

export interface EvaluateDeps extends SolveDeps {
  /** Told what happens now. */
  report: (stage: Progress['stage'], detail: string) => void;
}

/**
 * Solves a task in one sandbox and grades the patch in a fresh one.
 * @throws the harness's trouble, never an agent's outcome.
 */
export async function evaluate(plan: TrialPlan, deps: EvaluateDeps): Promise<TrialResult> {
  deps.report('solving', plan.task.id);
  const solved = await solveTask(plan, deps);
  const verdict = await gradeIfAny(solved.taken.patch ?? '', plan, deps);
  const settlement = verdict === null ? settleWithoutGrade(solved) : settleGraded(solved, verdict);
  if (settlement.outcome !== 'resolved') assertModelAnswered(solved);
  return result(solved, settlement, verdict);
}

interface Settlement {
  outcome: TrialOutcome;
  reason: string;
}

async function solveTask(plan: TrialPlan, deps: EvaluateDeps): Promise<Solved> {
  const { image, workspace, instruction, hints } = solverView(plan.task);
  const { model, limits, labels, gpus, trialMs: solveMs } = plan;
  try {
    const agent = readAgent(plan.source);
    return await solve({ agent, image, workspace, instruction, hints, model, limits, labels, gpus, solveMs }, deps);
  } catch (error) {
    if (error instanceof BrokenAgent) return neverStarted(error.message);
    throw error;
  }
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

async function gradeIfAny(patch: string, plan: TrialPlan, deps: EvaluateDeps): Promise<PatchVerdict | null> {
  if (patch === '') return null;
  deps.report('grading', plan.task.id);
  const { task, limits, labels, gpus } = plan;
  return gradePatch(task, patch, { limits, labels, gpus }, deps);
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
  if (verdict.kind === 'bad-patch') return { outcome: 'bad-patch', reason: verdict.reason };
  const { resolved, reason } = verdict.grade;
  if (resolved) return { outcome: 'resolved', reason };
  if (solved.ended === 'timeout') return { outcome: 'timeout', reason: `It ran out of time; its patch: ${reason}` };
  if (solved.ended === 'crashed')
    return { outcome: 'crashed', reason: `It ended with exit code ${solved.exitCode}; its patch: ${reason}` };
  return { outcome: 'unresolved', reason };
}

function result(solved: Solved, settlement: Settlement, verdict: PatchVerdict | null): TrialResult {
  return {
    kind: 'trial',
    ...settlement,
    y: verdict?.kind === 'graded' ? verdict.grade.y : 0,
    patch: solved.taken.patch,
    transcript: solved.transcript,
    graderLog: verdict?.log ?? null,
    solveMs: solved.durationMs,
    gradeMs: verdict?.durationMs ?? 0,
  };
}
