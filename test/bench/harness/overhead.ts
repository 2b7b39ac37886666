import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { withExitCode } from '#benchmarks/swe-bench/script.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { gradePatch } from '#services/evaluator/grade-patch.ts';
import type { Found } from '#test/bench/sections.ts';
import { measureInTurns, type Spread } from './figures.ts';
import { insideMs, insideOf, timedDriver } from './inside-time.ts';
import { gradeOfficially } from './official-calls.ts';
import { type Bench, benchRoom, type HarnessSection, msText, ratioText } from './section.ts';
import { type TestbedTask, testbedTask } from './testbed-task.ts';

const ROUNDS = 10;

/** What a grade costs beside the script that runs its tests, on one image and with one script for all. */
export const overhead: HarnessSection = { title: 'A grade beside its tests', measure };

const NAMES = {
  ours: 'ours, no canary: one container',
  settled: 'ours, until nothing of it is left',
  withCanary: 'ours, with the canary: two containers',
  official: "SWE-bench's calls",
  officialKill: "SWE-bench's calls, kill for stop",
  bare: 'create, start, wait, remove; no patch',
};
type Name = keyof typeof NAMES;

async function measure({ docker, rounds = ROUNDS, signal, say }: Bench): Promise<Found> {
  if ('missing' in docker) return { skipped: docker.missing };
  say('  building an image in the form of those of SWE-bench');
  const testbed = await testbedTask(docker.driver);
  const grade =
    (way: { canary?: boolean; untilSettled?: boolean } = {}) =>
    () =>
      oursMs(docker.driver, testbed, way, signal);
  const official = (end: 'stop' | 'kill') => () => officialMs(docker.engine, testbed, end);
  say(`  ${rounds} rounds in turns, some 20 s each, and one that does not count`);
  const spreads = await measureInTurns<Name>(
    {
      ours: grade(),
      settled: grade({ untilSettled: true }),
      officialKill: official('kill'),
      withCanary: grade({ canary: true }),
      official: official('stop'),
      bare: () => bareMs(docker.engine, testbed),
    },
    { rounds },
  );
  const ratios = ratiosOf(spreads);
  return {
    head: ['', 'median', 'min', 'max', 'over ours'],
    rows: Object.entries(NAMES).map(([name, title]) => rowOf(title, spreads[name as Name], spreads.ours)),
    notes: [
      `SWE-bench's calls take ${ratioText(ratios.official)} of ours without a canary, ${ratioText(ratios.officialOverCanary)} with it; with kill for stop ${ratioText(ratios.officialKill)}.`,
      'Ours ends with the verdict, while the engine still removes the container; the second row waits for that, too.',
      'Wall time, less what the script says it took inside; the canary is a second run of the tests, whose time is taken off too.',
    ],
    figures: { overheadMs: spreads, ratios },
  };
}

function rowOf(title: string, spread: Spread, ours: Spread): string[] {
  const { median, min, max } = spread;
  return [title, msText(median), msText(min), msText(max), ratioText(median / ours.median)];
}

function ratiosOf({ ours, withCanary, official, officialKill, bare }: Record<Name, Spread>) {
  return {
    official: official.median / ours.median,
    officialOverCanary: official.median / withCanary.median,
    officialKill: officialKill.median / ours.median,
    bare: bare.median / ours.median,
  };
}

async function oursMs(
  plain: SandboxDriver,
  { task, patch }: TestbedTask,
  { canary = false, untilSettled = false }: { canary?: boolean; untilSettled?: boolean },
  signal: AbortSignal,
): Promise<number> {
  const { driver, taken } = timedDriver(plain);
  const begun = performance.now();
  const verdict = await gradePatch(task, patch, benchRoom('overhead'), { driver, signal, defences: { canary } });
  const verdictMs = performance.now() - begun;
  // In any case, for the next one to begin with an engine that is idle.
  await plain.settled?.();
  const wallMs = untilSettled ? performance.now() - begun : verdictMs;
  if (verdict.kind !== 'graded' || !verdict.grade.resolved)
    throw new Error(`The patch is ${verdict.kind}: ${verdict.log}`);
  return wallMs - insideOf(taken());
}

async function officialMs(docker: Docker, { task, patch }: TestbedTask, end: 'stop' | 'kill'): Promise<number> {
  const { image, workdir } = task;
  const script = withExitCode(task.evalScript ?? '');
  const begun = performance.now();
  const output = await gradeOfficially({ docker, image, patch, script, workdir, end });
  const wallMs = performance.now() - begun;
  const missing = task.failToPass.find((name) => !output.includes(`PASSED ${name}`));
  if (missing !== undefined) throw new Error(`${missing} did not pass: ${output}`);
  return wallMs - insideIn(output);
}

/** The least that an engine can do for a script: one container, told all at once. */
async function bareMs(docker: Docker, { task }: TestbedTask): Promise<number> {
  const begun = performance.now();
  const container = await docker.createContainer({
    Image: task.image,
    Cmd: ['/bin/bash', '-c', task.evalScript ?? ''],
    HostConfig: { NetworkMode: 'none' },
  });
  const stream = await container.attach({ stream: true, stdout: true, stderr: true });
  const printed = new PassThrough();
  const output = text(printed);
  docker.modem.demuxStream(stream, printed, printed);
  stream.once('end', () => printed.end());
  await container.start();
  await container.wait();
  await container.remove({ force: true });
  return performance.now() - begun - insideIn(await output);
}

function insideIn(output: string): number {
  const ms = insideMs(output);
  if (ms === null) throw new Error(`The script did not come to its end: ${output}`);
  return ms;
}
