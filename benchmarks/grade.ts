import { parseJest } from './reports/jest.ts';
import { parseJunit } from './reports/junit.ts';
import { parsePytest } from './reports/pytest.ts';
import type { TestReport } from './reports/report.ts';
import { parseTap } from './reports/tap.ts';
import type { Grade, ReportKind, Task, TestRun } from './schema.ts';

type NamedTests = Pick<Task, 'failToPass' | 'passToPass'>;
type Names = Grade['failToPass'];

const PARSERS: Readonly<Record<Exclude<ReportKind, 'exit-code'>, (text: string) => TestReport>> = {
  tap: parseTap,
  junit: parseJunit,
  pytest: parsePytest,
  jest: parseJest,
};

/**
 * The verdict on what the tests printed. In this order:
 *
 * - A run that timed out, or did not end by itself, is unresolved, whatever it printed before.
 * - `exit-code`: resolved exactly when it is 0. All named tests share that verdict.
 * - Named tests: every one of `failToPass` must have passed, every one of `passToPass` passed or been skipped. One that the
 *   report does not mention failed: a program that exits early with 0 proves nothing.
 * - All named tests passed but the exit code is not 0: resolved only if the report itself explains the code by a failed test
 *   that nobody named (suites carry tests that have always failed). Otherwise something broke after the tests: unresolved.
 * - No named tests: exit code 0, at least one test passed, none failed.
 */
export function grade(task: Pick<Task, 'failToPass' | 'passToPass' | 'test'>, run: TestRun): Grade {
  if (run.timedOut) return allFailed(task, `the tests took longer than ${task.test.timeoutMs} ms`);
  if (run.exitCode === null) return allFailed(task, 'the tests were ended from outside');
  if (task.test.report === 'exit-code') return gradeByExitCode(task, run.exitCode);
  const report = PARSERS[task.test.report](`${run.stdout}\n${run.stderr}`);
  const failToPass = split(task.failToPass, (name) => report.get(name) === 'passed');
  const passToPass = split(task.passToPass, (name) => ['passed', 'skipped'].includes(report.get(name) ?? 'failed'));
  const trouble = troubleOf(task, { failToPass, passToPass, report, exitCode: run.exitCode });
  const passed = failToPass.passed.length + passToPass.passed.length || count(report, 'passed');
  return verdict(trouble === null, trouble ?? `${passed} tests passed`, failToPass, passToPass);
}

function gradeByExitCode(task: NamedTests, exitCode: number): Grade {
  if (exitCode !== 0) return allFailed(task, `the tests exited with ${exitCode}`);
  const all = () => true;
  return verdict(true, 'the tests exited with 0', split(task.failToPass, all), split(task.passToPass, all));
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

function allFailed(task: NamedTests, reason: string): Grade {
  const none = () => false;
  return verdict(false, reason, split(task.failToPass, none), split(task.passToPass, none));
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
