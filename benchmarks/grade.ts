import { endsWithTestCode, gradeExitMarker } from './exit-marker.ts';
import { parseCargoTest } from './reports/cargo-test.ts';
import { parseGoTest } from './reports/go-test.ts';
import { parseJest } from './reports/jest.ts';
import { parseJunit } from './reports/junit.ts';
import { parsePytest } from './reports/pytest.ts';
import type { TestReport } from './reports/report.ts';
import { parseTap } from './reports/tap.ts';
import { readReward } from './reward.ts';
import type { Grade, ReportForm, ReportKind, Task, TestRun } from './schema.ts';
import { gradeSweBench, readSweBenchReport } from './swe-bench/verdict.ts';

type GradedTask = Pick<Task, 'id' | 'failToPass' | 'passToPass' | 'test' | 'evalScript'>;
type NamedTests = Pick<Task, 'failToPass' | 'passToPass'>;
type Names = Grade['failToPass'];
type KindOf<Form> = Extract<ReportForm, { kind: Form }>;

const PARSERS: Readonly<Record<Exclude<ReportKind, 'exit-code'>, (text: string) => TestReport>> = {
  tap: parseTap,
  junit: parseJunit,
  pytest: parsePytest,
  jest: parseJest,
  'go-test': parseGoTest,
  'cargo-test': parseCargoTest,
};

/**
 * The verdict on what the tests printed. In this order:
 *
 * - A run that timed out, or did not end by itself, is unresolved, whatever it printed before.
 * - `exit-code`: resolved exactly when it is 0. All named tests share that verdict. `exit-marker`: the same of the code that the
 *   log says; one that the script's own end contradicts was forged. `reward`: resolved when it is at least 1, and after the exit
 *   code that the task asks for, if any.
 * - `swe-bench`: as SWE-bench's harness of that version grades a log.
 * - Named tests: every one of `failToPass` must have passed, every one of `passToPass` passed or been skipped. One that the
 *   report does not mention failed: a program that exits early with 0 proves nothing.
 * - All named tests passed but the exit code is not 0: resolved only if the report itself explains the code by a failed test
 *   that nobody named (suites carry tests that have always failed). Otherwise something broke after the tests: unresolved.
 * - No named tests: exit code 0, at least one test passed, none failed.
 */
export function grade(task: GradedTask, run: TestRun): Grade {
  if (run.timedOut) return allAlike(task, false, `the tests took longer than ${task.test.timeoutMs} ms`);
  if (run.exitCode === null) return allAlike(task, false, 'the tests were ended from outside');
  const { report: form } = task.test;
  if (typeof form === 'object') return gradeForm(task, form, run);
  if (form === 'exit-code') return gradeExitCode(task, run.exitCode);
  return gradeReport(task, parserOf(form)(printed(run)), run.exitCode);
}

/** What became of each test by name; null for tasks whose tests are not told apart. */
export function readReport(task: GradedTask, run: TestRun): TestReport | null {
  const { report: form } = task.test;
  if (form === 'exit-code') return null;
  if (typeof form === 'string') return parserOf(form)(printed(run));
  return form.kind === 'swe-bench' ? readSweBenchReport(task, form, run.stdout) : null;
}

const parserOf = (kind: keyof typeof PARSERS) => PARSERS[kind];
const printed = ({ stdout, stderr }: TestRun) => `${stdout}\n${stderr}`;

function gradeForm(task: GradedTask, form: Exclude<ReportForm, ReportKind>, run: TestRun): Grade {
  switch (form.kind) {
    case 'swe-bench':
      return gradeSweBench(task, form, run.stdout);
    case 'exit-marker':
      return gradeMarker(task, form, run);
    case 'reward':
      return gradeReward(task, form, run);
  }
}

function gradeExitCode(task: NamedTests, exitCode: number): Grade {
  return allAlike(task, exitCode === 0, `the tests exited with ${exitCode}`);
}

function gradeMarker(task: GradedTask, { pattern }: KindOf<'exit-marker'>, run: TestRun): Grade {
  const isOwn = endsWithTestCode(task.evalScript ?? '', pattern);
  // Whoever kills the script has it say nothing more, and may have said it all before.
  if ((run.exitCode ?? 0) > 128) return allAlike(task, false, `a signal ended the tests (${run.exitCode})`);
  const said = gradeExitMarker(run.stdout, isOwn ? run.exitCode : null, pattern);
  if (said.kind === 'error') return allAlike(task, false, said.reason);
  if (said.disagreement)
    return allAlike(task, false, `the log has another exit code than the ${said.exitCode} of its script`);
  return gradeExitCode(task, said.exitCode);
}

function gradeReward(task: NamedTests, { rewardedExit }: KindOf<'reward'>, { reward, exitCode }: TestRun): Grade {
  if (rewardedExit !== undefined && exitCode !== rewardedExit)
    return allAlike(task, false, `the tests exited with ${exitCode}, and a reward counts only after ${rewardedExit}`);
  const read = readReward(reward ?? { json: null, text: null });
  if (read.kind === 'error') return allAlike(task, false, read.reason);
  if (read.disagreement) return allAlike(task, false, 'reward.json and reward.txt say different rewards');
  return { ...allAlike(task, read.resolved, `${read.from} says ${read.reward}`), y: read.y };
}

function gradeReport(task: NamedTests, report: TestReport, exitCode: number): Grade {
  const failToPass = split(task.failToPass, (name) => report.get(name) === 'passed');
  const passToPass = split(task.passToPass, (name) => ['passed', 'skipped'].includes(report.get(name) ?? 'failed'));
  const trouble = troubleOf(task, { failToPass, passToPass, report, exitCode });
  const passed = failToPass.passed.length + passToPass.passed.length || count(report, 'passed');
  return verdict(trouble === null, trouble ?? `${passed} tests passed`, failToPass, passToPass);
}

interface Findings {
  failToPass: Names;
  passToPass: Names;
  report: TestReport;
  exitCode: number;
}

/** Why it is unresolved, or null. */
function troubleOf(task: NamedTests, { failToPass, passToPass, report, exitCode }: Findings): string | null {
  const failed = [...failToPass.failed, ...passToPass.failed];
  const [first] = failed;
  if (report.size === 0) return `the tests exited with ${exitCode} and reported no test`;
  if (first !== undefined)
    return `${failed.length} of ${countNamed(task)} tests did not pass, first: ${oneLine(first)}`;
  const unnamed = count(report, 'failed');
  if (countNamed(task) === 0 && unnamed > 0) return `${unnamed} of ${report.size} tests did not pass`;
  if (countNamed(task) === 0 && count(report, 'passed') === 0) return 'no test passed';
  if (exitCode === 0 || (countNamed(task) > 0 && unnamed > 0)) return null;
  return `every test passed, but the tests exited with ${exitCode}`;
}

/** The named tests share the verdict. */
function allAlike(task: NamedTests, resolved: boolean, reason: string): Grade {
  const all = () => resolved;
  return verdict(resolved, reason, split(task.failToPass, all), split(task.passToPass, all));
}

function verdict(resolved: boolean, reason: string, failToPass: Names, passToPass: Names): Grade {
  return { resolved, y: resolved ? 1 : 0, reason, failToPass, passToPass };
}

function split(names: readonly string[], isPassed: (name: string) => boolean): Names {
  return { passed: names.filter((name) => isPassed(name)), failed: names.filter((name) => !isPassed(name)) };
}

function count(report: TestReport, status: string): number {
  return [...report.values()].filter((each) => each === status).length;
}

function countNamed(task: NamedTests): number {
  return task.failToPass.length + task.passToPass.length;
}

function oneLine(name: string): string {
  return name.replace(/\s+/g, ' ');
}
