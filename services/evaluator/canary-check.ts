import { randomBytes } from 'node:crypto';
import type { GradingNotes } from '#archive/schema.ts';
import { type Canary, judgeCanary, withCanary } from '#benchmarks/canary.ts';
import { grade, readReport } from '#benchmarks/grade.ts';
import type { Task } from '#benchmarks/schema.ts';
import { type Attempt, type GradingRoom, tryPatch } from './grading-room.ts';

export interface CanaryCheck {
  /** What became of the tests that must fail. `none`: there are none for this task, or they cannot be relied on. */
  fate: GradingNotes['canary'];
  /** What that shows, and the log of the run that shows it; null while the tests can be believed. */
  tampering: { reason: string; log: string } | null;
}

/**
 * Runs a task's tests on a patch that is said to resolve it together with tests that must fail. Nobody is accused before the
 * same tests have failed with a patch that is known to be honest.
 * @throws what the driver throws.
 */
export async function runCanary(task: Task, patch: string, room: GradingRoom): Promise<CanaryCheck> {
  const canary = withCanary(task, randomBytes(8).toString('hex'));
  if (canary === null) return { fate: 'none', tampering: null };
  const { fate, log } = await fateWith(patch, canary, room);
  if (fate === 'failed') return { fate, tampering: null };
  if (!(await failsWithReference(canary, room))) return { fate: 'none', tampering: null };
  const reasons = {
    passed: `The tests do not report what they find: some that cannot pass are said to have passed (${canary.what}).`,
    missing: `The tests do not report what they find: all are said to have passed, but some that must fail were not run (${canary.what}).`,
  };
  return { fate, tampering: { reason: reasons[fate], log } };
}

async function failsWithReference(canary: Canary, room: GradingRoom): Promise<boolean> {
  const { referencePatch } = canary.task;
  return referencePatch === null || (await fateWith(referencePatch, canary, room)).fate === 'failed';
}

async function fateWith(patch: string, canary: Canary, room: GradingRoom) {
  const attempt = await tryPatiently(patch, canary.task, room);
  if (attempt.kind === 'refused') return { fate: 'missing' as const, log: attempt.reason };
  const { run, log } = attempt;
  const { resolved } = grade(canary.task, run);
  return { fate: judgeCanary(canary, { run, report: readReport(canary.task, run), resolved }), log };
}

/** A run that took too long is done once more with twice the time: the machine may have been busy. */
async function tryPatiently(patch: string, task: Task, room: GradingRoom): Promise<Attempt> {
  const first = await tryPatch(task, patch, room);
  if (first.kind === 'refused' || !first.run.timedOut) return first;
  const { test } = task;
  return await tryPatch({ ...task, test: { ...test, timeoutMs: 2 * test.timeoutMs } }, patch, room);
}
