import type { InfraSign } from '#benchmarks/swe-bench/infra-failure.ts';
import type { Prediction } from '#benchmarks/swe-bench/predictions.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { Limits } from '#sandbox/schema.ts';
import { version } from '#services/api/version.ts';
import type { Graded } from '#services/evaluator/grade-batch.ts';
import type { Defences, PatchVerdict } from '#services/evaluator/grade-patch.ts';
import { type Fate, fateOf, type RunReport, runReport } from '#services/evaluator/official-report.ts';
import type { VerdictStore } from '#services/evaluator/verdict-store.ts';
import type { Dataset } from './grade-input.ts';
import { plainLine } from './plain-text.ts';

/** One run of `clade grade`. */
export interface GradeRun {
  id: string;
  /** Whose name the report has. */
  model: string;
  startedMs: number;
  dataset: Dataset;
  predictions: ReadonlyMap<string, Prediction>;
  driver: SandboxDriver;
  limits: Limits;
  defences: Defences;
  verdicts: VerdictStore;
  /** What has a verdict is graded again. */
  force: boolean;
  /** Directories: of the logs, and of the report. */
  out: string;
  reports: string;
  /** What has ended so far. */
  graded: Ended[];
}

/** A task that has ended; its log, which may be large, is empty. */
export type Ended = Graded & { sign: InfraSign | null };

/** One line on a task that ended, with the figures so far. */
export function progressText({ graded }: Pick<GradeRun, 'graded'>, last: Ended, total: number): string {
  const count = (fate: Fate) => graded.filter((one) => fateOfGraded(one) === fate).length;
  const seconds = `${(last.durationMs / 1000).toFixed(1)} s`;
  const figures = `resolved ${count('resolved')}, unresolved ${count('unresolved')}, errors ${count('error')}`;
  const how = last.kind === 'verdict' && last.isKnown ? 'known' : seconds;
  return `${graded.length}/${total}  ${last.submission.task.id}: ${verdictText(last)}  ${how}  (${figures})`;
}

function verdictText(graded: Ended): string {
  if (graded.kind === 'infra') return `no verdict (${plainLine(graded.reason, 160)})`;
  const { verdict } = graded;
  if (verdict.kind === 'bad-patch') return `patch does not apply (${plainLine(verdict.reason, 120)})`;
  if (verdict.kind === 'tampered') return `tampered (${plainLine(verdict.reason, 120)})`;
  if (verdict.timedOut) return `timed out (${plainLine(verdict.grade.reason, 120)})`;
  return verdict.grade.resolved ? 'resolved' : `unresolved (${plainLine(verdict.grade.reason, 120)})`;
}

const fateOfGraded = (graded: Graded) => (graded.kind === 'infra' ? 'error' : fateOf(graded.verdict, graded.log));

export type GradeReport = RunReport & { clade: OwnReport };

/** What the official report has no place for. Maps are by id of the task. */
interface OwnReport {
  version: string;
  run_id: string;
  dataset: string;
  sandbox: string;
  graders: string[];
  defences: Defences;
  limits: Limits;
  /** Resolved by the tests' own account, which cannot be believed. They are among `unresolved_ids`. */
  tampered_ids: string[];
  timed_out_ids: string[];
  /** Why there is no verdict, of those in `error_ids` for which that says nothing about the patch. */
  infra_errors: Record<string, string>;
  patch_errors: Record<string, string>;
  /** Where leaving out parts of the patch made a difference: the verdict that counts, the other one, and what was left out. */
  firewall_differences: Record<
    string,
    { resolved: boolean; whole_patch: NonNullable<PatchVerdict['notes']['wholePatch']>; removed: string[] }
  >;
  /** How often tests that must fail did what. */
  canary: Record<PatchVerdict['notes']['canary'], number>;
  known_ids: string[];
  image_digests: Record<string, string>;
  /** Of grading, when it was done, in milliseconds. */
  grading_ms: Record<string, number>;
  total_ms: number;
}

/** SWE-bench's report of a run that has ended, with what is ours. Tasks that cannot be used are errors. */
export function gradeReport(run: GradeRun): GradeReport {
  const { dataset, predictions, graded } = run;
  const empty = [...predictions.values()].filter(({ patch }) => patch === null || patch === '');
  const fates = new Map<string, Fate>(empty.map(({ id }) => [id, 'empty-patch']));
  for (const one of graded) fates.set(one.submission.task.id, fateOfGraded(one));
  const ids = [...dataset.tasks, ...dataset.excluded].map(({ id }) => id);
  const signs = new Map(graded.flatMap(({ submission, sign }) => (sign === null ? [] : [[submission.task.id, sign]])));
  return { ...runReport({ dataset: ids, submitted: [...predictions.keys()], fates, signs }), clade: ownReport(run) };
}

function ownReport({ dataset, predictions, graded, ...run }: GradeRun): OwnReport {
  const byId = graded.toSorted((a, b) => (a.submission.task.id < b.submission.task.id ? -1 : 1));
  const judged = byId.filter((one) => one.kind === 'verdict').map((one) => ({ ...one, id: one.submission.task.id }));
  const idsOf = (which: (one: (typeof judged)[number]) => boolean) => judged.filter(which).map(({ id }) => id);
  const unusable = dataset.excluded.filter(({ id }) => predictions.has(id)).map(({ id, reason }) => [id, reason]);
  const infra = byId.flatMap((one) => (one.kind === 'infra' ? [[one.submission.task.id, one.reason]] : []));
  const refused = judged.flatMap(({ id, verdict }) => (verdict.kind === 'bad-patch' ? [[id, verdict.reason]] : []));
  return {
    version,
    run_id: run.id,
    dataset: dataset.name,
    sandbox: run.driver.name,
    graders: [...new Set(dataset.tasks.map(graderOf))].sort(),
    defences: run.defences,
    limits: run.limits,
    tampered_ids: idsOf(({ verdict }) => verdict.kind === 'tampered'),
    timed_out_ids: idsOf(({ verdict }) => verdict.kind === 'graded' && verdict.timedOut),
    infra_errors: Object.fromEntries([...unusable, ...infra]),
    patch_errors: Object.fromEntries(refused),
    firewall_differences: Object.fromEntries(judged.flatMap(({ id, verdict }) => firewallDifference(id, verdict))),
    canary: canaryCounts(judged.map(({ verdict }) => verdict)),
    known_ids: idsOf(({ isKnown }) => isKnown),
    image_digests: Object.fromEntries(judged.map(({ id, imageDigest }) => [id, imageDigest])),
    grading_ms: Object.fromEntries(judged.map(({ id, verdict }) => [id, verdict.durationMs])),
    total_ms: Date.now() - run.startedMs,
  };
}

function graderOf({ test: { report } }: Dataset['tasks'][number]): string {
  if (typeof report === 'string') return report;
  return report.kind === 'swe-bench' ? `swe-bench ${report.grader}` : report.kind;
}

function firewallDifference(id: string, verdict: PatchVerdict): [string, OwnReport['firewall_differences'][string]][] {
  const { wholePatch, removed } = verdict.notes;
  if (wholePatch === null) return [];
  const resolved = verdict.kind === 'graded' && verdict.grade.resolved;
  return [[id, { resolved, whole_patch: wholePatch, removed: removed.map(({ path }) => path) }]];
}

function canaryCounts(verdicts: readonly PatchVerdict[]): OwnReport['canary'] {
  const counts: OwnReport['canary'] = { failed: 0, passed: 0, missing: 0, none: 0, 'not-run': 0 };
  for (const { notes } of verdicts) counts[notes.canary] += 1;
  return counts;
}

/** What SWE-bench's harness prints at its end. */
export function summaryText(report: GradeReport, file: string): string {
  const { clade } = report;
  const differing = Object.keys(clade.firewall_differences);
  return [
    `Total instances: ${report.total_instances}`,
    `Instances submitted: ${report.submitted_instances}`,
    `Instances completed: ${report.completed_instances}`,
    `Instances incomplete: ${report.incomplete_ids.length}`,
    `Instances resolved: ${report.resolved_instances}`,
    `Instances unresolved: ${report.unresolved_instances}`,
    `Instances with likely infrastructure failures: ${report.infra_failure_instances}`,
    `Instances with ambiguous failures: ${report.ambiguous_failure_instances}`,
    `Instances with empty patches: ${report.empty_patch_instances}`,
    `Instances with errors: ${report.error_instances}`,
    ...(clade.tampered_ids.length === 0 ? [] : [`Tampered with their tests: ${clade.tampered_ids.join(', ')}`]),
    ...(differing.length === 0 ? [] : [`Decided by what was left out of the patch: ${differing.join(', ')}`]),
    ...infraText(Object.entries(clade.infra_errors)),
    `Report written to ${file}`,
  ].join('\n');
}

/** Reasons of a few: when an engine or a registry is down, all have the same. */
function infraText(errors: readonly [string, string][]): string[] {
  const shown = errors.slice(0, 5).map(([id, reason]) => `No verdict on ${id}: ${plainLine(reason)}`);
  return errors.length > 5 ? [...shown, `No verdict on ${errors.length - 5} more: the report says why`] : shown;
}
