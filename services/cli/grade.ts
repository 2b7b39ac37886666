import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Prediction } from '#benchmarks/swe-bench/predictions.ts';
import { chooseDriver, createDrivers } from '#sandbox/drivers.ts';
import { permitsEgress } from '#sandbox/egress/policy.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { DriverName, Limits } from '#sandbox/schema.ts';
import type { Config } from '#services/config.ts';
import { CladeError } from '#services/errors.ts';
import { failureSign, fileNameOf, taskLogs, writeTaskLogs } from '#services/evaluator/evaluation-logs.ts';
import { type Graded, gradeBatch, type Submission } from '#services/evaluator/grade-batch.ts';
import type { Defences } from '#services/evaluator/grade-patch.ts';
import { VerdictStore } from '#services/evaluator/verdict-store.ts';
import { leaseForTask, openGpus } from '#services/worker/gpus.ts';
import { asNumber, asPositiveCount, type CommonOptions, command, configOf, typed } from './command.ts';
import { type Dataset, idsNamed, openDataset, openPredictions } from './grade-input.ts';
import { type GradeRun, gradeReport, progressText, summaryText } from './grade-text.ts';
import { onInterrupt } from './interrupt.ts';
import { plainLine } from './plain-text.ts';
import type { Terminal } from './terminal.ts';

type Switch = 'on' | 'off';

interface GradeFlags extends CommonOptions {
  dataset: string;
  predictions: string;
  form?: string;
  runId?: string;
  workers: number;
  ids?: string;
  grader?: 'v5' | 'v4.1';
  firewall: Switch;
  canary: Switch;
  sealed: Switch;
  timeout?: number;
  cpus?: number;
  memory?: number;
  out: string;
  reportDir?: string;
  sandbox: DriverName | 'auto';
  allowUnsandboxed?: boolean;
  force?: boolean;
}

const onOff = (flag: string, what: string) =>
  new Option(`--${flag} <switch>`, what).choices(['on', 'off']).default('on');

/** `clade grade`: patches that were made elsewhere, graded as SWE-bench's harness grades them. */
export function gradeCommand(terminal: Terminal): Command {
  return command('grade', "grade predictions and write SWE-bench's report of them")
    .requiredOption(
      '--dataset <suite|folder|rows>',
      'a suite by name or folder, or a file of rows (JSON lines, parquet)',
    )
    .requiredOption('--predictions <file|gold>', "JSON lines, list or object; gold: the tasks' own solutions")
    .option('--form <kind>', 'form of a dataset that is no suite (default: swe-bench)')
    .option('--run-id <id>', 'name for the report and the logs (default: the time)')
    .option('--workers <n>', 'tasks graded at once', asPositiveCount, 4)
    .option('--ids <a,b|file|subset>', 'only these tasks')
    .addOption(new Option('--grader <version>', "whose rules, for SWE-bench's tasks").choices(['v5', 'v4.1']))
    .addOption(onOff('firewall', 'leave out parts of a patch that can bend a test run'))
    .addOption(onOff('canary', 'try patches that resolve a task against tests that must fail'))
    .addOption(onOff('sealed', 'hide the history after the base commit, and the words that mark results'))
    .option('--timeout <seconds>', "time limit of a task's tests (default: the task's own)", asNumber)
    .option('--cpus <n>', 'cores for each task, unless it needs more', asNumber)
    .option('--memory <MiB>', 'memory for each task, unless it needs more', asNumber)
    .option('--out <dir>', 'where logs/ goes', '.')
    .option('--report-dir <dir>', 'where the report goes (default: --out)')
    .addOption(
      new Option('--sandbox <driver>', 'where tests run').choices(['auto', ...DriverName.options]).default('auto'),
    )
    .option('--allow-unsandboxed', 'let patches run in the process driver, which isolates nothing')
    .option('--force', 'grade again what has a verdict')
    .action((flags: GradeFlags) => grade(flags, terminal));
}

async function grade(flags: GradeFlags, terminal: Terminal): Promise<void> {
  const run = await prepare(flags, terminal);
  using interrupt = onInterrupt(terminal, 'Ending: what is under way is given up, what has a verdict is kept.');
  const submissions = submissionsOf(run);
  const { egress, gpus } = configOf(terminal, { home: flags.home });
  await using pool = await openGpus(gpus, terminal.say);
  terminal.say(`Grading ${submissions.length} predictions with ${run.driver.name}, ${flags.workers} at once.`);
  const batch = gradeBatch(submissions, {
    ...{ driver: run.driver, limits: run.limits, defences: run.defences, verdicts: run.verdicts },
    ...{ workers: flags.workers, force: run.force, signal: interrupt.signal },
    egress,
    leaseGpus: (task, signal) => leaseForTask(pool, task, signal),
    onProgress: (line) => terminal.say(`  ${plainLine(line)}`),
    onResult: async (graded) => {
      const logs = taskLogs(graded);
      await writeTaskLogs({ root: run.out, run: run.id, model: modelOf(run, graded) }, graded.submission.task.id, logs);
      const last = { ...withoutLog(graded), sign: failureSign(logs) };
      run.graded.push(last);
      terminal.say(progressText(run, last, submissions.length));
    },
  });
  if ((await ended(batch, interrupt.signal)) === 'interrupted')
    return interrupted(run, submissions.length, interrupt.exitCode(), terminal);
  const report = gradeReport(run);
  const file = join(run.reports, `${fileNameOf(run.model)}.${run.id}.json`);
  await writeFile(file, `${JSON.stringify(report, null, 4)}\n`);
  if (run.graded.some(({ kind }) => kind === 'infra') || run.dataset.excluded.some(({ id }) => run.predictions.has(id)))
    terminal.exitCode = 1;
  terminal.print(flags.json ? JSON.stringify({ file, report }) : summaryText(report, typed(file)));
}

/** Everything that a run needs, looked at before anything runs. */
async function prepare(flags: GradeFlags, terminal: Terminal): Promise<GradeRun> {
  const { home, images, egress } = configOf(terminal, { home: flags.home });
  const allowNetwork = permitsEgress(egress);
  const ids = flags.ids === undefined ? undefined : await idsNamed(flags.ids);
  const { form, grader } = flags;
  const timeoutMs = flags.timeout === undefined ? undefined : positive('--timeout', flags.timeout) * 1000;
  const dataset = await openDataset(flags.dataset, {
    ...{ form, grader, ids, timeoutMs, allowNetwork },
    shelf: join(home, 'suites'),
  });
  const predictions = await openPredictions(flags.predictions, dataset);
  const [out, reports] = [resolve(flags.out), resolve(flags.reportDir ?? flags.out)];
  await mkdir(reports, { recursive: true });
  const driver = await driverFor(dataset, flags, images);
  return {
    id: runId(flags.runId),
    model: [...predictions.values()][0]?.model ?? '',
    startedMs: Date.now(),
    ...{ dataset, predictions, driver, out, reports },
    force: flags.force ?? false,
    limits: limitsOf(flags),
    defences: defencesOf(flags),
    verdicts: new VerdictStore(join(home, 'verdicts')),
    graded: [],
  };
}

/** @throws SandboxUnavailable; CladeError when the tasks are not for it, or it would protect nothing. */
async function driverFor(
  { tasks }: Dataset,
  { sandbox, allowUnsandboxed }: GradeFlags,
  images: Config['images'],
): Promise<SandboxDriver> {
  const driver = await chooseDriver(sandbox, createDrivers({ images }));
  const inImage = tasks.find((task) => task.workspaceIn === 'image');
  const refuse = (why: string) => new CladeError('sandbox-unavailable', why);
  if (inImage !== undefined && driver.images === null)
    throw refuse(
      `Task ${inImage.id} is kept in a Docker image, and only ${driver.name} is to be had: \`clade doctor\` says how to get Docker.`,
    );
  if (driver.isolates || allowUnsandboxed) return driver;
  throw refuse(
    'The process driver isolates nothing, and the patches would run with your rights. Install Docker or bubblewrap (`clade doctor` says how), or take the risk with --allow-unsandboxed.',
  );
}

function limitsOf({ cpus, memory }: GradeFlags): Limits {
  const named = {
    ...(cpus === undefined ? {} : { cpus: positive('--cpus', cpus) }),
    ...(memory === undefined ? {} : { memoryMiB: Math.ceil(positive('--memory', memory)) }),
  };
  return Limits.parse(named);
}

function defencesOf({ firewall, canary, sealed }: GradeFlags): Defences {
  return {
    firewall: firewall === 'on',
    canary: canary === 'on',
    sealedHistory: sealed === 'on',
    sealedScript: sealed === 'on',
  };
}

function positive(flag: string, value: number): number {
  if (value > 0) return value;
  throw new CladeError('invalid-request', `${flag} must be more than 0, not ${value}.`);
}

/** The id that was given, or one of the time. */
function runId(given: string | undefined): string {
  const id = given ?? new Date().toISOString().replace(/\..*$/, '').replaceAll(':', '-');
  if (/^[A-Za-z0-9][\w.-]{0,99}$/.test(id)) return id;
  throw new CladeError(
    'invalid-request',
    `--run-id ${JSON.stringify(id)} must be letters, digits, dots, dashes and underscores.`,
  );
}

/** What there is to grade: every prediction that has a patch, for a task that was asked for. */
function submissionsOf({ dataset, predictions }: GradeRun): Submission[] {
  return dataset.tasks.flatMap((task) => {
    const prediction = predictions.get(task.id);
    return prediction === undefined || isEmpty(prediction, task) ? [] : [{ task, patch: prediction.patch }];
  });
}

/** No patch stands for the task's own solution where there is one to run. */
function isEmpty({ patch, place }: Prediction, { solutionFiles }: Submission['task']): boolean {
  return patch === '' || (patch === null && (place !== 'gold' || solutionFiles.length === 0));
}

function withoutLog(graded: Graded): Graded {
  return graded.kind === 'infra' ? graded : { ...graded, verdict: { ...graded.verdict, log: '' } };
}

function modelOf({ predictions, model }: GradeRun, { submission }: Graded): string {
  return predictions.get(submission.task.id)?.model ?? model;
}

async function ended(batch: Promise<unknown>, signal: AbortSignal): Promise<'done' | 'interrupted'> {
  try {
    await batch;
    return 'done';
  } catch (error) {
    if (signal.aborted) return 'interrupted';
    throw error;
  }
}

function interrupted({ graded, id, force }: GradeRun, total: number, exitCode: number, terminal: Terminal): void {
  terminal.exitCode = exitCode;
  const kept = graded.filter(({ kind }) => kind === 'verdict').length;
  terminal.say(
    `Ended after ${graded.length} of ${total}. ${kept} verdicts are kept: the same command with --run-id ${id} goes on from there${force ? ' (without --force)' : ''}.`,
  );
}
