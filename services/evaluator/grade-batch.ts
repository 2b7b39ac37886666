import { hostname } from 'node:os';
import type { Task } from '#benchmarks/schema.ts';
import { readSweBenchLog } from '#benchmarks/swe-bench/verdict.ts';
import type { EgressPermit } from '#sandbox/egress/policy.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { Limits } from '#sandbox/schema.ts';
import type { GpuLease } from '#services/worker/gpus-pool.ts';
import { type Defences, gradePatch, type PatchVerdict } from './grade-patch.ts';
import type { LogState } from './official-report.ts';
import { ownLabels, reapDead } from './process-mark.ts';
import { referencePatchOf } from './reference.ts';
import { originalDigest, taskImage } from './task-image.ts';
import { type VerdictGrounds, type VerdictStore, verdictKey } from './verdict-store.ts';

/** A patch that is to be graded. */
export interface Submission {
  task: Task;
  /** Null: the task's own solution. */
  patch: string | null;
}

/** What came of a submission. `infra`: there is no verdict, for a reason that says nothing about the patch. */
export type Graded = { submission: Submission; durationMs: number } & (
  | { kind: 'verdict'; patch: string; verdict: PatchVerdict; log: LogState; imageDigest: string; isKnown: boolean }
  | { kind: 'infra'; reason: string }
);

export interface BatchDeps {
  driver: SandboxDriver;
  /** Graded at once. */
  workers: number;
  limits: Limits;
  /** What sandboxes may reach at most. By default nothing. */
  egress?: EgressPermit;
  /** The GPUs of a task's sandboxes; null for a task that needs none. By default there are none. */
  leaseGpus?: (task: Task, signal: AbortSignal) => Promise<GpuLease | null>;
  defences: Defences;
  verdicts: VerdictStore;
  /** Grades also what has a verdict. */
  force: boolean;
  signal: AbortSignal;
  /** Told of each as it ends, in that order; the next one of that worker waits for it. */
  onResult: (graded: Graded) => void | Promise<void>;
  /** Told of pulls and builds. */
  onProgress: (line: string) => void;
}

/**
 * Grades submissions, several at once. A verdict that is known already, from before or from an equal submission, is taken as
 * it is; new ones are kept, infra trouble never is. What batches left behind that were killed is removed first.
 * @throws the signal's reason when aborted, or what `onResult` throws, after every sandbox is gone.
 */
export async function gradeBatch(submissions: readonly Submission[], deps: BatchDeps): Promise<void> {
  await reapDead(KIND, deps.driver);
  const stop = new AbortController();
  const signal = AbortSignal.any([deps.signal, stop.signal]);
  const batch: Batch = { ...deps, signal, underWay: new Map(), graded: new Set() };
  const waiting = submissions.values();
  const workOff = async () => {
    for (const submission of waiting) {
      signal.throwIfAborted();
      await deps.onResult(await gradeOne(submission, batch));
    }
  };
  const workers = Array.from({ length: Math.max(1, deps.workers) }, workOff);
  await Promise.all(workers.map((worker) => worker.catch((error: unknown) => stop.abort(error))));
  await deps.driver.settled?.();
  signal.throwIfAborted();
}

const KIND = 'grade';

interface Batch extends BatchDeps {
  /** Verdicts that somebody waits for, by key. */
  underWay: Map<string, Promise<PatchVerdict>>;
  /** Keys of what this batch has graded. */
  graded: Set<string>;
}

async function gradeOne(submission: Submission, batch: Batch): Promise<Graded> {
  const startedMs = Date.now();
  const durationMs = () => Date.now() - startedMs;
  const { task } = submission;
  const { defences, limits } = batch;
  try {
    const imageDigest = (await originalDigest(task, batch)) ?? `${batch.driver.name} on ${hostname()}`;
    const patch = submission.patch ?? (await solutionOf(task, batch));
    const { verdict, isKnown } = await verdictOn({ task, patch, imageDigest, defences, limits }, batch);
    const log = logState(task, verdict);
    return { kind: 'verdict', submission, patch, verdict, log, imageDigest, isKnown, durationMs: durationMs() };
  } catch (error) {
    batch.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'infra', submission, reason, durationMs: durationMs() };
  }
}

/** A patch that was tampered with ran its tests, and its log has those of another run as well. */
function logState({ test, ...task }: Task, verdict: PatchVerdict): LogState {
  const { report } = test;
  if (typeof report === 'string' || report.kind !== 'swe-bench' || verdict.kind !== 'graded') return 'results';
  const read = readSweBenchLog(task, report, verdict.log);
  if (typeof read === 'string') return 'unreadable';
  return read.found ? 'results' : 'no-results';
}

async function solutionOf(task: Task, deps: BatchDeps): Promise<string> {
  using leased = (await deps.leaseGpus?.(task, deps.signal)) ?? null;
  const where = { limits: deps.limits, labels: ownLabels(KIND, task.id), gpus: leased?.uuids ?? [] };
  const patch = await referencePatchOf(task, where, deps);
  if (patch === null) throw new Error(`Task ${task.id} has no reference patch.`);
  return patch;
}

async function verdictOn(grounds: VerdictGrounds, batch: Batch): Promise<{ verdict: PatchVerdict; isKnown: boolean }> {
  const key = verdictKey(grounds);
  const isStored = !batch.force || batch.graded.has(key);
  const stored = isStored && !batch.underWay.has(key) ? await batch.verdicts.get(key) : null;
  if (stored !== null) return { verdict: stored, isKnown: true };
  const same = batch.underWay.get(key);
  if (same !== undefined) return { verdict: await same, isKnown: true };
  const grading = gradeAndKeep(key, grounds, batch);
  batch.underWay.set(key, grading);
  try {
    return { verdict: await grading, isKnown: false };
  } finally {
    batch.underWay.delete(key);
  }
}

async function gradeAndKeep(key: string, grounds: VerdictGrounds, batch: Batch): Promise<PatchVerdict> {
  const { task, patch, limits, defences } = grounds;
  const { driver, egress, signal } = batch;
  const image = await taskImage(task, batch, defences.sealedHistory);
  // Further pulls must not push it out while nothing runs in it yet.
  await using _pinned = await batch.driver.images?.pin(image, { signal: batch.signal });
  using leased = (await batch.leaseGpus?.(task, signal)) ?? null;
  const where = { limits, labels: ownLabels(KIND, task.id), gpus: leased?.uuids ?? [] };
  const verdict = await gradePatch(task, patch, where, { driver, egress, signal, defences });
  await batch.verdicts.put(key, grounds, verdict);
  batch.graded.add(key);
  return verdict;
}
