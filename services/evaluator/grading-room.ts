import { randomBytes } from 'node:crypto';
import type { Task, TaskFile, TestRun } from '#benchmarks/schema.ts';
import { sealScript, unsealLog, withExitCode } from '#benchmarks/swe-bench/script.ts';
import type { EgressPolicy } from '#sandbox/egress/policy.ts';
import type { ExecResult, Sandbox, SandboxDriver } from '#sandbox/sandbox.ts';
import type { Limits, SandboxLabels } from '#sandbox/schema.ts';
import { blameAgent } from './blame.ts';
import { gradingProgram, setUpIn } from './grading-script.ts';
import { type Network, openNetwork } from './network.ts';
import { atLeast } from './task-limits.ts';
import { cutMiddle, insideNames, joinSections, withoutControls } from './transcript.ts';

export interface GradingSandbox {
  limits: Limits;
  labels: SandboxLabels;
  gpus?: readonly string[];
}

/** How far what is run is kept from what runs. All on but in tests that show what each is good for, and for parity. */
export interface RoomDefences {
  /** History holds nothing that came after the base commit. */
  sealedHistory: boolean;
  /** A script's markers are replaced by words that nobody knows, and its text is in no file while tests run. */
  sealedScript: boolean;
}

/** What running a task's tests on a patch came to. `refused`: they did not run, since the patch does not apply. */
export type Attempt = { kind: 'ran'; run: TestRun; log: string } | { kind: 'refused'; reason: string };

/** Time for what is not the tests. */
const SET_UP_MS = 120_000;
/** Bytes kept of what tests print; logs that are parsed for test names may be long. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
const MAX_LOG_BYTES = 64 * 1024 * 1024;

/** Where a task's tests run: what all runs of one grade have in common. */
export interface GradingRoom extends GradingSandbox {
  driver: SandboxDriver;
  signal: AbortSignal;
  /** The image to open sandboxes with, as `taskImage` gives it. */
  image: string;
  /** What its sandboxes may reach; null for nothing. */
  policy: EgressPolicy | null;
  defences: RoomDefences;
}

/**
 * Runs a task's tests on a patch in a fresh sandbox: the task's own workspace, the patch, and last the protected files as they
 * were, the hidden tests and the grader's files. Nothing of the sandbox in which the patch was made is here.
 * @param patch what may be applied of it; empty runs the tests on the workspace as it is.
 * @throws what the driver throws; trouble that the patch made is in the result.
 */
export async function tryPatch(task: Task, patch: string, room: GradingRoom): Promise<Attempt> {
  const { driver, signal, image, policy, limits, labels, gpus } = room;
  const spec = {
    ...{ image, labels, gpus },
    limits: atLeast(limits, task.needs),
    deadlineMs: Date.now() + task.test.timeoutMs + SET_UP_MS,
    writableRoot: task.workspaceIn === 'image',
    // SWE-bench's ways to apply a patch are those of its images' own programs.
    tools: task.workspaceIn === 'image' && (task.applyWith === 'exact' || policy !== null),
  };
  await using sandbox = await driver.open(spec, { signal });
  await using network = await openNetwork(sandbox, policy, signal);
  try {
    return await runIn(sandbox, task, patch, { ...room, network });
  } catch (error) {
    await blameAgent(error, room);
    const reason = 'The sandbox ended while the tests ran.';
    const run = { exitCode: null, timedOut: false, stdout: '', stderr: '' };
    return { kind: 'ran', run, log: `${reason}\n${network.note()}` };
  }
}

async function runIn(
  sandbox: Sandbox,
  task: Task,
  patch: string,
  { defences, network, signal }: GradingRoom & { network: Network },
): Promise<Attempt> {
  const nonce = randomBytes(16).toString('hex');
  const rewards = rewardsOf(task);
  const script =
    task.evalScript === null ? null : scriptFile(task, task.evalScript, defences.sealedScript ? nonce : null);
  const program = gradingProgram(sandbox, {
    task,
    patch,
    // Output and errors of a script go one way, so that their order is kept.
    command: script
      ? ['/bin/bash', '-c', 'exec /bin/bash "$0" 2>&1', sandbox.path(`/${script.path}`)]
      : task.test.command,
    files: script ? [...task.graderFiles, script] : task.graderFiles,
    emptied: rewards,
    nonce,
  });
  const result = await sandbox.exec(program.argv, {
    cwd: '/',
    env: { ...sandbox.baseEnv, ...task.test.env, ...network.env },
    stdin: program.stdin,
    deadlineMs: Date.now() + task.test.timeoutMs,
    maxOutputBytes: script ? MAX_LOG_BYTES : MAX_OUTPUT_BYTES,
    signal,
  });
  const run = testRun(result);
  const setUp = setUpIn(run, nonce);
  if (setUp.kind === 'refused') return setUp;
  run.stderr = setUp.stderr;
  checkMachine(task, run);
  const note = network.note();
  if (script !== null) return scriptRan(run, defences.sealedScript ? nonce : null, note);
  if (rewards !== null) run.reward = await rewardsLeft(sandbox, rewards);
  return { kind: 'ran', run, log: insideNames(sandbox, logOf(task, run)) + note };
}

/** @throws Error when tests say so that the machine cannot run them, which tells nothing of the patch. */
function checkMachine({ test: { report } }: Task, { exitCode, stderr }: TestRun): void {
  if (typeof report !== 'object' || report.kind !== 'reward' || report.brokenExit !== exitCode) return;
  throw new Error(cutMiddle(`The tests cannot be run here: ${withoutControls(stderr).trim()}`, 1_000));
}

function rewardsOf({ test: { report } }: Task): string | null {
  return typeof report === 'object' && report.kind === 'reward' ? report.directory : null;
}

/** @param nonce what stands for the script's markers; null: the form in which its makers run it. */
function scriptFile({ test: { report } }: Task, script: string, nonce: string | null): TaskFile {
  const isSweBench = typeof report === 'object' && report.kind === 'swe-bench';
  const plain = isSweBench ? withExitCode(script) : script;
  const text = nonce === null ? plain : sealScript(script, nonce);
  return { path: 'clade/tests.sh', bytes: new TextEncoder().encode(text), executable: true };
}

function scriptRan(run: TestRun, nonce: string | null, note: string): Attempt {
  const stdout = nonce === null ? run.stdout : unsealLog(run.stdout, nonce);
  return { kind: 'ran', run: { ...run, stdout }, log: stdout + note };
}

function testRun(result: ExecResult): TestRun {
  return {
    exitCode: result.exitCode,
    timedOut: result.timedOut,
    stdout: new TextDecoder().decode(result.stdout.bytes),
    stderr: new TextDecoder().decode(result.stderr.bytes),
  };
}

/** What a reward file may hold, and one byte more. */
const REWARD_BYTES = 1024 * 1024 + 1;

/** Read with nothing running any more that could change them. */
async function rewardsLeft(sandbox: Sandbox, directory: string): Promise<NonNullable<TestRun['reward']>> {
  await sandbox.quiesce();
  const read = async (name: string): Promise<string | null> => {
    // What is no file was put there to keep the tests from writing one, and is as broken as one can be.
    const script = `[ -e "$1" ] || [ -L "$1" ] || exit 1; [ -f "$1" ] && [ ! -L "$1" ] && exec head -c ${REWARD_BYTES} "$1"; exit 0`;
    const argv = ['/bin/sh', '-c', script, 'sh', sandbox.path(`${directory}/${name}`)];
    const options = { cwd: '/', env: sandbox.baseEnv, deadlineMs: Date.now() + SET_UP_MS };
    const { exitCode, stdout } = await sandbox.exec(argv, { ...options, maxOutputBytes: 2 * REWARD_BYTES });
    return exitCode === 0 ? new TextDecoder().decode(stdout.bytes) : null;
  };
  return { json: await read('reward.json'), text: await read('reward.txt') };
}

/** Without how long it took: a second try is told the log, and is to be told the same when it is done again. */
function logOf({ test }: Task, { timedOut, exitCode, stdout, stderr }: TestRun): string {
  const ended = timedOut ? `ran out of its ${test.timeoutMs} ms` : `exit code ${exitCode}`;
  const head = `$ ${test.command.join(' ')}\n${ended}\n\n`;
  const sections = [
    { title: 'stdout', text: withoutControls(stdout) },
    { title: 'stderr', text: withoutControls(stderr) },
  ];
  return cutMiddle(head, 4_000) + joinSections(sections, 200_000);
}
