import { grade } from '#benchmarks/grade.ts';
import type { Grade, Task } from '#benchmarks/schema.ts';
import type { ExecResult, Sandbox, SandboxDriver } from '#sandbox/sandbox.ts';
import type { Limits, SandboxLabels } from '#sandbox/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import { parsePatch, withoutFiles } from './patch.ts';
import { gitEnv, whyFailed } from './snapshot.ts';
import { blameAgent, insideNames } from './solve.ts';
import { cutMiddle, joinSections, printedText } from './transcript.ts';

export interface GradingSandbox {
  limits: Limits;
  labels: SandboxLabels;
  gpus?: readonly string[];
}

export interface GradeDeps {
  driver: SandboxDriver;
  signal: AbortSignal;
}

/** `bad-patch`: nothing was graded, since the patch was refused or does not apply. */
export type PatchVerdict =
  | { kind: 'graded'; grade: Grade; log: string; durationMs: number }
  | { kind: 'bad-patch'; reason: string; log: string; durationMs: number };

/**
 * Grades a patch of a task, out of reach of whoever wrote it: a fresh sandbox, the task's own workspace, the patch, and last
 * the protected files as they were and the hidden tests. What the patch does to those is left out before it is applied.
 * An empty patch grades the workspace as it is. The verdict comes from output and exit code collected outside.
 * @throws what the driver throws; trouble that the patch made is in the verdict.
 */
export async function gradePatch(
  task: Task,
  patch: string,
  where: GradingSandbox,
  deps: GradeDeps,
): Promise<PatchVerdict> {
  const startedMs = Date.now();
  const timed = (verdict: Verdict): PatchVerdict => ({ ...verdict, durationMs: Date.now() - startedMs });
  const parsed = parsePatch(patch);
  if ('defect' in parsed) return timed(badPatch(parsed.defect.detail));
  const { patch: allowed, dropped } = withoutFiles(parsed.files, hasNoSay(task));
  await deps.driver.prepare(task.image, { signal: deps.signal });
  const spec = { image: task.image, ...where, deadlineMs: Date.now() + task.test.timeoutMs + setUpMs };
  await using sandbox = await deps.driver.open(spec, { signal: deps.signal });
  await sandbox.put('/workspace', packTar(task.workspace));
  const failure = allowed === '' ? null : await applyIn(sandbox, allowed, deps.signal);
  if (failure !== null) return timed(badPatch(failure));
  await sandbox.put('/workspace', packTar([...protectedFiles(task), ...task.hiddenTests]));
  return timed(await runTests(sandbox, task, dropped, deps));
}

type Verdict = { kind: 'graded'; grade: Grade; log: string } | { kind: 'bad-patch'; reason: string; log: string };

/** Time for what is not the tests. */
const setUpMs = 120_000;

function badPatch(reason: string): Verdict {
  return { kind: 'bad-patch', reason, log: `${reason}\n` };
}

/**
 * Tells the names that a patch has no say in: protected ones, those of hidden tests, and all but the solution's where the task
 * names these. A trailing slash stands for everything below.
 */
function hasNoSay(task: Task): (path: string) => boolean {
  const bare = (path: string) => path.replace(/\/+$/, '');
  const fixed = [...task.protected, ...task.hiddenTests.map((file) => file.path)].map(bare);
  const own = task.solutionPaths.map(bare);
  const isOwn = (path: string) =>
    own.length === 0 || own.some((place) => path === place || path.startsWith(`${place}/`));
  return (path) => !isOwn(path) || fixed.some((place) => overlap(path, place));
}

/** Whether they are one place, or one is a directory of the other. */
function overlap(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`) || place.startsWith(`${path}/`);
}

function protectedFiles(task: Task) {
  const places = task.protected.map((path) => path.replace(/\/+$/, ''));
  return task.workspace.filter((file) =>
    places.some((place) => file.path === place || file.path.startsWith(`${place}/`)),
  );
}

/** Why the patch does not apply, or null when it did. */
async function applyIn(sandbox: Sandbox, patch: string, signal: AbortSignal): Promise<string | null> {
  const argv = ['git', 'apply', '--numstat', '-z', '--apply', '--whitespace=nowarn', '-'];
  // Without a ceiling, git would look for a repository above and apply the patch relative to that.
  const env = {
    ...gitEnv(sandbox),
    GIT_CEILING_DIRECTORIES: sandbox.path('/workspace').replace(/\/[^/]+$/, '') || '/',
  };
  const stdin = new TextEncoder().encode(patch);
  const result = await sandbox.exec(argv, {
    env,
    stdin,
    deadlineMs: Date.now() + 60_000,
    signal,
  });
  if (result.exitCode === 0) return otherNames(patch, new TextDecoder().decode(result.stdout.bytes));
  if (result.exitCode === 126 || result.exitCode === 127)
    throw new Error(`git does not run in a grading sandbox: ${whyFailed(result)}`);
  return `The patch does not apply: ${whyFailed(result)}.`;
}

/**
 * Why what git changed is not what we had read in the patch, or null when it is.
 * @param numstat as `git apply --numstat -z` prints it: two numbers and the name after the change for each file.
 */
function otherNames(patch: string, numstat: string): string | null {
  const parsed = parsePatch(patch);
  if ('defect' in parsed) return parsed.defect.detail;
  const read = parsed.files.map((file) => file.newPath ?? file.oldPath);
  const changed = numstat.split('\0').slice(0, -1);
  const isSame = changed.length === read.length && changed.every((entry, at) => entry.split('\t')[2] === read[at]);
  return isSame ? null : 'The patch can be read in two ways.';
}

async function runTests(sandbox: Sandbox, task: Task, dropped: readonly string[], deps: GradeDeps): Promise<Verdict> {
  const { command, env, timeoutMs } = task.test;
  try {
    const options = {
      env: { ...sandbox.baseEnv, ...env },
      deadlineMs: Date.now() + timeoutMs,
      maxOutputBytes: 4 * 1024 * 1024,
      signal: deps.signal,
    };
    const result = await sandbox.exec(command, options);
    const run = {
      exitCode: result.exitCode,
      timedOut: result.timedOut,
      stdout: new TextDecoder().decode(result.stdout.bytes),
      stderr: new TextDecoder().decode(result.stderr.bytes),
    };
    return { kind: 'graded', grade: grade(task, run), log: insideNames(sandbox, logOf(task, result, dropped)) };
  } catch (error) {
    await blameAgent(error, deps);
    const verdict = grade(task, { exitCode: null, timedOut: false, stdout: '', stderr: '' });
    const reason = 'The sandbox ended while the tests ran.';
    return { kind: 'graded', grade: { ...verdict, resolved: false, y: 0, reason }, log: `${reason}\n` };
  }
}

function logOf(task: Task, result: ExecResult, dropped: readonly string[]): string {
  const ended = result.timedOut ? `ran out of its ${task.test.timeoutMs} ms` : `exit code ${result.exitCode}`;
  const left =
    dropped.length === 0 ? '' : `Left out of the patch, since it may not change these: ${dropped.join(', ')}\n`;
  const head = `${left}$ ${task.test.command.join(' ')}\n${ended}, ${Math.round(result.durationMs)} ms\n\n`;
  const sections = [
    { title: 'stdout', text: printedText(result.stdout) },
    { title: 'stderr', text: printedText(result.stderr) },
  ];
  return cutMiddle(head, 4_000) + joinSections(sections, 200_000);
}
