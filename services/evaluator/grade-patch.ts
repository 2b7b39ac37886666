import type { GradingNotes } from '#archive/schema.ts';
import { grade } from '#benchmarks/grade.ts';
import type { Grade, Task } from '#benchmarks/schema.ts';
import type { EgressPermit } from '#sandbox/egress/policy.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { runCanary } from './canary-check.ts';
import { type Screened, screen, screenLoosely } from './firewall.ts';
import { type GradingRoom, type GradingSandbox, type RoomDefences, tryPatch } from './grading-room.ts';
import { policyFor } from './network.ts';
import { parsePatch } from './patch.ts';
import { taskImage } from './task-image.ts';

export type { GradingSandbox } from './grading-room.ts';

export interface GradeDeps {
  driver: SandboxDriver;
  /** What sandboxes may reach at most. By default nothing. */
  egress?: EgressPermit;
  signal: AbortSignal;
}

/** What stands between a patch and a verdict that it has not earned. */
export interface Defences extends RoomDefences {
  /** Parts of the patch that can bend a test run are left out. */
  firewall: boolean;
  /** A patch that resolves the task is run once more with tests that must fail. */
  canary: boolean;
}

export const ALL_DEFENCES: Defences = { firewall: true, canary: true, sealedHistory: true, sealedScript: true };

/**
 * `bad-patch`: nothing was graded, since the patch was refused or does not apply. `tampered`: the tests say that it resolves the
 * task, and say the same of tests that cannot pass.
 */
export type PatchVerdict = { log: string; durationMs: number; notes: GradingNotes } & (
  | { kind: 'graded'; grade: Grade; timedOut: boolean }
  | { kind: 'tampered'; grade: Grade; reason: string }
  | { kind: 'bad-patch'; reason: string }
);

type Notes = Omit<GradingNotes, 'audit' | 'image'>;

/**
 * Grades a patch of a task, out of reach of whoever wrote it: each run of the tests has a fresh sandbox, the patch goes through
 * a firewall first, and one that resolves the task is tried against tests that must fail. An empty patch grades the workspace
 * as it is. The verdict comes from output and exit code collected outside.
 * @throws SandboxUnavailable when the task must reach what is not permitted;
 * @throws what the driver throws; trouble that the patch made is in the verdict.
 */
export async function gradePatch(
  task: Task,
  patch: string,
  where: GradingSandbox,
  deps: GradeDeps & { defences?: Partial<Defences> },
): Promise<PatchVerdict> {
  const startedMs = Date.now();
  const defences = { ...ALL_DEFENCES, ...deps.defences };
  const policy = policyFor(task, deps.egress);
  const screened = screenFor(task, patch, defences.firewall);
  if ('refused' in screened) {
    const notes = { ...notesOf(screened), audit: [], image: null };
    return { ...badPatch(screened.refused), notes, durationMs: Date.now() - startedMs };
  }
  const image = await taskImage(task, deps, defences.sealedHistory);
  const { driver, signal } = deps;
  const verdict = await gradeScreened(task, screened, { ...where, driver, signal, image, policy, defences });
  const notes = { ...verdict.notes, audit: [], image: deps.driver.images === null ? null : image };
  return { ...verdict, notes, durationMs: Date.now() - startedMs };
}

type Room = GradingRoom & { defences: Defences };
type Verdict =
  | { kind: 'graded'; grade: Grade; timedOut: boolean; log: string }
  | { kind: 'tampered'; grade: Grade; reason: string; log: string }
  | { kind: 'bad-patch'; reason: string; log: string };

/** What of a patch goes on, and all of it. */
interface Allowed extends Screened {
  whole: string;
}

const nothingNoticed = { removed: [], flagged: [] };

/** SWE-bench's predictions may be any text that one of its ways to apply them takes; ours are what git writes. */
function screenFor(task: Task, whole: string, hasFirewall: boolean): Allowed | (Notes & { refused: string }) {
  const isLoose = task.applyWith === 'swe-bench';
  // Blank text is no patch to git, and none of the ways to apply one takes it.
  const isBlank = whole !== '' && whole.trim() === '';
  if (isLoose && (isBlank || !hasFirewall)) return { patch: whole, whole, ...nothingNoticed };
  const parsed = parsePatch(whole);
  if ('defect' in parsed) {
    if (isLoose) return { ...screenLoosely(task, whole), whole };
    return { refused: parsed.defect.detail, ...nothingNoticed, wholePatch: null, canary: 'not-run' };
  }
  if (!hasFirewall) return { patch: whole, whole, ...nothingNoticed };
  return { ...screen(task, parsed.files), whole };
}

async function gradeScreened(task: Task, allowed: Allowed, room: Room): Promise<Verdict & { notes: Notes }> {
  const verdict = await gradeOnce(task, allowed.patch, room);
  const isOpen = verdict.kind === 'graded' && isDisputable(task, allowed);
  const wholePatch = isOpen ? await gradeOnce(task, allowed.whole, room) : null;
  const notes = { ...notesOf(allowed), wholePatch: whereDifferent(verdict, wholePatch) };
  if (verdict.kind !== 'graded' || !verdict.grade.resolved || !room.defences.canary) return { ...verdict, notes };
  const { fate, tampering } = await runCanary(task, allowed.patch, room);
  const checked = { ...notes, canary: fate };
  if (tampering === null) return { ...verdict, notes: checked };
  const { reason } = tampering;
  const log = `${reason}\n\n${tampering.log}\n\n${verdict.log}`;
  return { kind: 'tampered', grade: { ...verdict.grade, resolved: false, y: 0, reason }, reason, log, notes: checked };
}

/** Whether a benchmark's own grader would have tested more of the patch: those of images test whatever is there. */
const isDisputable = (task: Task, { removed }: Allowed): boolean => removed.length > 0 && task.workspaceIn === 'image';

const notesOf = ({ removed, flagged }: Pick<Screened, 'removed' | 'flagged'>): Notes => ({
  removed,
  flagged,
  wholePatch: null,
  canary: 'not-run',
});

async function gradeOnce(task: Task, patch: string, room: Room): Promise<Verdict> {
  const attempt = await tryPatch(task, patch, room);
  if (attempt.kind === 'refused') return badPatch(attempt.reason);
  return { kind: 'graded', grade: grade(task, attempt.run), timedOut: attempt.run.timedOut, log: attempt.log };
}

function badPatch(reason: string): Verdict & { kind: 'bad-patch' } {
  return { kind: 'bad-patch', reason, log: `${reason}\n` };
}

function whereDifferent(verdict: Verdict, whole: Verdict | null): Notes['wholePatch'] {
  if (whole === null) return null;
  const resolved = (one: Verdict) => one.kind === 'graded' && one.grade.resolved;
  if (resolved(verdict) === resolved(whole)) return null;
  return { resolved: resolved(whole), reason: whole.kind === 'graded' ? whole.grade.reason : whole.reason };
}
