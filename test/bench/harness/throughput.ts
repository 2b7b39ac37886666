import type Docker from 'dockerode';
import type { Task } from '#benchmarks/schema.ts';
import { withExitCode } from '#benchmarks/swe-bench/script.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { gradePatch } from '#services/evaluator/grade-patch.ts';
import type { Found } from '#test/bench/sections.ts';
import { sumFix, sumTask, textFiles } from '#test/evaluator/builders.ts';
import { measureInTurns, type Spread, wallMs } from './figures.ts';
import { gradeOfficially } from './official-calls.ts';
import { type Bench, benchRoom, type HarnessSection } from './section.ts';
import { type TestbedTask, testbedTask } from './testbed-task.ts';

const ROUNDS = 3;
const WORKERS = [1, 2, 4, 8];
/** Grades of one measurement, or one for each worker where that is more. */
const GRADES = 16;

/** How many grades a minute come out with tests that take next to nothing. */
export const throughput: HarnessSection = { title: 'Grades a minute', measure };

interface Lane {
  title: string;
  /** Grades of a measurement with that many workers. */
  grades: (workers: number) => number;
  grade: () => Promise<unknown>;
  /** Waits for what grades leave to the background. */
  settled?: SandboxDriver['settled'];
}

async function measure(bench: Bench): Promise<Found> {
  const lanes = await lanesOf(bench);
  const [first] = lanes;
  if (first === undefined) return { skipped: [bench.docker, bench.bubblewrap].map(whyMissing).join('; ') };
  const { rounds = ROUNDS, say } = bench;
  const spreads = new Map(lanes.map(({ title }): [string, Spread[]] => [title, []]));
  for (const workers of WORKERS) {
    say(`  ${workers} at once, ${rounds} rounds in turns`);
    const contenders = lanes.map((lane) => [lane.title, () => perMinute(lane, workers)] as const);
    const measured = await measureInTurns(Object.fromEntries(contenders), { rounds, warmUp: 0 });
    for (const [title, spread] of Object.entries(measured)) spreads.get(title)?.push(spread);
  }
  return {
    head: ['', ...WORKERS.map((workers) => `${workers} at once`), `${first.title} over it`],
    rows: lanes.map(({ title }) => rowOf(title, spreads.get(title) ?? [], spreads.get(first.title) ?? [])),
    notes: [
      'Median (min to max) of the rounds. All without a canary, which needs tests that it can be added to.',
      ...[bench.docker, bench.bubblewrap].map(whyMissing).filter((why) => why !== ''),
    ],
    figures: { workers: WORKERS, gradesPerMinute: Object.fromEntries(spreads) },
  };
}

const whyMissing = (part: Bench['docker'] | Bench['bubblewrap']): string => ('missing' in part ? part.missing : '');

async function lanesOf({ docker, bubblewrap, signal }: Bench): Promise<Lane[]> {
  const lanes: Lane[] = [];
  const few = (workers: number) => workers;
  const many = (workers: number) => Math.max(GRADES, workers);
  const files = filesTask();
  if (!('missing' in docker)) {
    const testbed = withoutTests(await testbedTask(docker.driver));
    const { driver, engine } = docker;
    const ours = () => graded(driver, testbed.task, testbed.patch, signal);
    lanes.push(
      { title: 'ours, Docker', grades: many, grade: ours, settled: driver.settled },
      { title: "SWE-bench's calls, kill for stop", grades: many, grade: () => official(engine, testbed, 'kill') },
      { title: "SWE-bench's calls", grades: few, grade: () => official(engine, testbed, 'stop') },
      {
        title: 'ours, Docker, a workspace of files',
        grades: many,
        grade: () => graded(driver, files, sumFix, signal),
        settled: driver.settled,
      },
    );
  }
  if (!('missing' in bubblewrap)) {
    const grade = () => graded(bubblewrap.driver, files, sumFix, signal);
    lanes.push({ title: 'ours, bubblewrap, a workspace of files', grades: (workers) => 4 * many(workers), grade });
  }
  return lanes;
}

async function perMinute({ grades, grade, settled }: Lane, workers: number): Promise<number> {
  const all = grades(workers);
  let left = all;
  const work = async () => {
    while (left-- > 0) await grade();
  };
  const ms = await wallMs(async () => {
    await Promise.all(Array.from({ length: workers }, work));
    await settled?.();
  });
  return (60_000 * all) / ms;
}

function rowOf(title: string, spreads: readonly Spread[], first: readonly Spread[]): string[] {
  const cells = spreads.map(({ median, min, max }) => `${median.toFixed(0)} (${min.toFixed(0)} to ${max.toFixed(0)})`);
  const ratios = spreads.map(({ median }, at) => ((first[at]?.median ?? Number.NaN) / median).toFixed(1));
  return [title, ...cells, `x ${ratios.join(', ')}`];
}

async function graded(driver: SandboxDriver, task: Task, patch: string, signal: AbortSignal): Promise<void> {
  const verdict = await gradePatch(task, patch, benchRoom('throughput'), { driver, signal });
  if (verdict.kind !== 'graded' || !verdict.grade.resolved)
    throw new Error(`The patch is ${verdict.kind}: ${verdict.log}`);
}

async function official(docker: Docker, { task, patch }: TestbedTask, end: 'stop' | 'kill'): Promise<void> {
  const { image, workdir, evalScript } = task;
  await gradeOfficially({ docker, image, patch, script: withExitCode(evalScript ?? ''), workdir, end });
}

/** The same task with a script that says the results at once. */
function withoutTests({ task, patch }: TestbedTask): TestbedTask {
  const passed = [...task.failToPass, ...task.passToPass].map((name) => `echo 'PASSED ${name}'`);
  const lines = [": '>>>>> Start Test Output'", 'echo "2 passed in 0.01s"', ...passed, ": '>>>>> End Test Output'"];
  return { task: { ...task, evalScript: `#!/bin/bash\nset -uxo pipefail\n${lines.join('\n')}\n` }, patch };
}

function filesTask(): Task {
  const { test } = sumTask();
  return sumTask({
    hiddenTests: textFiles({ 'check.sh': 'grep -q "a + b" sum.mjs\n' }),
    test: { ...test, command: ['sh', 'check.sh'] },
  });
}
