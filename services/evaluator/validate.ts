import type { Grade, Suite, Task } from '#benchmarks/schema.ts';
import type { EgressPermit } from '#sandbox/egress/policy.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { Limits } from '#sandbox/schema.ts';
import type { GpuLease } from '#services/worker/gpus-pool.ts';
import { gradePatch } from './grade-patch.ts';
import { ownLabels, reapDead } from './process-mark.ts';
import { referencePatchOf } from './reference.ts';

/** How a task's reference patch and the empty patch were graded; null where there was no verdict. */
export interface TaskValidation {
  id: string;
  reference: Grade | null;
  empty: Grade | null;
  /** Why a verdict is missing, or null. */
  reason: string | null;
  durationMs: number;
}

/** Why a task that is not known to be solvable has no verdict on that. */
export const NO_REFERENCE = 'It has no reference patch.';

export interface Validation {
  tasks: number;
  /** Tasks that their reference patch resolves: should be all. */
  referenceResolved: number;
  /** Tasks that are resolved without any change: should be none. */
  emptyResolved: number;
  /** Tasks without a full verdict, each with the reason. */
  excluded: { id: string; reason: string }[];
  results: TaskValidation[];
}

export interface ValidateDeps {
  driver: SandboxDriver;
  /** Tasks graded at once. */
  concurrency: number;
  signal: AbortSignal;
  limits?: Limits;
  /** What sandboxes may reach at most. By default nothing. */
  egress?: EgressPermit;
  /** The GPUs of a task's sandboxes; null for a task that needs none. By default there are none. */
  leaseGpus?: (task: Task, signal: AbortSignal) => Promise<GpuLease | null>;
  onResult?: (result: TaskValidation) => void;
}

/**
 * Grades the reference patch and the empty patch of every task, as a trial's patch is graded. Results come in the suite's
 * order. Trouble with one task is its reason to be excluded and leaves the others alone. What validations left behind that
 * were killed is removed first.
 * @throws the signal's reason when aborted; what the driver throws when it cannot look for what was left behind.
 */
export async function validateSuite(suite: Suite, deps: ValidateDeps): Promise<Validation> {
  await reapDead('validate', deps.driver);
  const results: TaskValidation[] = [];
  const excluded = [...suite.excluded];
  const waiting = suite.tasks.entries();
  const workOff = async () => {
    for (const [at, task] of waiting) {
      const result = await validateTask(task, deps);
      results[at] = result;
      if (result.reason !== null) excluded.push({ id: task.id, reason: result.reason });
      deps.onResult?.(result);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, deps.concurrency) }, workOff));
  await deps.driver.settled?.();
  return {
    tasks: suite.tasks.length + suite.excluded.length,
    referenceResolved: results.filter((result) => result.reference?.resolved).length,
    emptyResolved: results.filter((result) => result.empty?.resolved).length,
    excluded,
    results,
  };
}

async function validateTask(task: Task, deps: ValidateDeps): Promise<TaskValidation> {
  const startedMs = Date.now();
  const result: TaskValidation = { id: task.id, reference: null, empty: null, reason: null, durationMs: 0 };
  result.reason = await grades(task, deps, result).catch((error: unknown) => {
    deps.signal.throwIfAborted();
    return error instanceof Error ? error.message : String(error);
  });
  result.durationMs = Date.now() - startedMs;
  return result;
}

/** Fills in the grades. @returns why the task is not fully validated, or null. */
async function grades(task: Task, deps: ValidateDeps, result: TaskValidation): Promise<string | null> {
  deps.signal.throwIfAborted();
  using leased = (await deps.leaseGpus?.(task, deps.signal)) ?? null;
  const gpus = leased?.uuids ?? [];
  const where = { limits: deps.limits ?? Limits.parse({}), labels: ownLabels('validate', task.id), gpus };
  const empty = await gradePatch(task, '', where, deps);
  if (empty.kind !== 'bad-patch') result.empty = empty.grade;
  const patch = await referencePatchOf(task, where, deps);
  if (patch === null) return NO_REFERENCE;
  const reference = await gradePatch(task, patch, where, deps);
  if (reference.kind === 'bad-patch') return `Its reference patch cannot be used: ${reference.reason}`;
  result.reference = reference.grade;
  return null;
}
