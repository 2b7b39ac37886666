import { Argument, type Command } from 'commander';
import { adapters } from '#benchmarks/adapters/adapters.ts';
import { readIds, readSubset } from '#benchmarks/adapters/subsets.ts';
import { importSuite, SuiteError } from '#benchmarks/suite.ts';
import { chooseDriver, createDrivers } from '#sandbox/drivers.ts';
import { permitsEgress } from '#sandbox/egress/policy.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { CladeError } from '#services/errors.ts';
import { NO_REFERENCE, type TaskValidation, type Validation, validateSuite } from '#services/evaluator/validate.ts';
import { figuresByLanguage, type LanguageFigures } from '#services/evaluator/validation-figures.ts';
import { SuiteShelf } from '#services/suite-shelf.ts';
import { leaseForTask, openGpus } from '#services/worker/gpus.ts';
import { asPositiveCount, type CommonOptions, command, commandGroup, configOf } from './command.ts';
import { onInterrupt } from './interrupt.ts';
import { plainLine } from './plain-text.ts';
import { suiteCheckCommand } from './suite-check.ts';
import { suiteNewCommand } from './suite-new.ts';
import { suiteStatsCommand } from './suite-stats.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { duration } from './words.ts';

interface ImportFlags extends CommonOptions {
  name?: string;
  language?: string[];
  subset?: string;
  ids?: string;
  rules?: string;
  marker?: string;
  allowNetwork?: boolean;
}

interface ValidateFlags extends CommonOptions {
  sandbox: string;
  slots: number;
}

const SANDBOXES = ['auto', 'docker', 'bubblewrap', 'process'] as const satisfies readonly (DriverName | 'auto')[];

/** `clade suite`: the suites there are, new ones, and whether their tasks can be solved. */
export function suiteCommand(terminal: Terminal): Command {
  const list = command('list', 'list the suites that a run can be measured on').action((options: CommonOptions) =>
    listAll(options, terminal),
  );
  const add = command('import', 'add a suite from files of a public benchmark')
    .addArgument(new Argument('<kind>', 'their form').choices(Object.keys(adapters)))
    .argument('<source>', 'where they are: a file or a directory')
    .option('--name <name>', 'what to call the suite')
    .option('--language <language...>', 'only these languages')
    .option('--subset <name>', 'only the tasks of a published subset, such as dgm-small')
    .option('--ids <file>', 'only the tasks with these ids, one a line')
    .option('--rules <whose>', 'for polyglot: aider (two tries, 180 s) or dgm (one try, 120 s)')
    .option('--marker <regex>', 'how scripts say the exit code of their tests, as in CODE=(\\d+)')
    .option('--allow-network', 'keep tasks that need the network')
    .action((kind: string, source: string, options: ImportFlags) => importFrom(kind, source, options, terminal));
  const validate = command('validate', 'grade the reference solution and the empty patch of every task')
    .argument('[suite]', 'name, or directory of a suite', 'katas')
    .option('--sandbox <driver>', SANDBOXES.join(', '), 'auto')
    .option('--slots <n>', 'tasks graded at once', asPositiveCount, 2)
    .action((name: string, options: ValidateFlags) => validateOne(name, options, terminal));
  return commandGroup('suite', 'list, import and validate suites', [
    list,
    add,
    suiteNewCommand(terminal),
    suiteCheckCommand(terminal),
    validate,
    suiteStatsCommand(terminal),
  ]);
}

function shelf(terminal: Terminal, home: string | undefined): SuiteShelf {
  const { home: place, egress } = configOf(terminal, { home });
  return new SuiteShelf(place, { allowNetwork: permitsEgress(egress) });
}

async function listAll({ home, json }: CommonOptions, terminal: Terminal): Promise<void> {
  const suites = await shelf(terminal, home).list();
  if (json) return terminal.print(JSON.stringify(suites));
  const rows = suites.map((suite) => [
    suite.name,
    String(suite.tasks),
    suite.builtin ? 'built in' : 'imported',
    plainLine(suite.title, 80),
  ]);
  terminal.print(table(['suite', 'tasks>', 'from', 'title'], rows));
}

async function importFrom(
  kind: string,
  source: string,
  { home, json, name, language, subset, ids, rules, marker, allowNetwork }: ImportFlags,
  terminal: Terminal,
): Promise<void> {
  const wanted = await wantedIds(kind, subset, ids);
  const places = {
    shelf: shelf(terminal, home).directory,
    ...(name === undefined ? {} : { name }),
    ...(language === undefined ? {} : { languages: language }),
    ...(wanted === undefined ? {} : { ids: wanted }),
    ...(rules === undefined ? {} : { rules }),
    ...(marker === undefined ? {} : { marker }),
    ...(allowNetwork === undefined ? {} : { allowNetwork }),
    onWarning: (line: string) => terminal.say(`  ${plainLine(line)}`),
  };
  const suite = await importSuite(kind, source, places);
  if (json)
    return terminal.print(JSON.stringify({ name: suite.name, tasks: suite.tasks.length, excluded: suite.excluded }));
  terminal.print(`Suite ${suite.name}: ${suite.tasks.length} tasks. "clade suite validate ${suite.name}" checks them.`);
  for (const { id, reason } of suite.excluded) terminal.print(`  left out ${id}: ${plainLine(reason)}`);
}

async function wantedIds(kind: string, subset?: string, file?: string): Promise<ReadonlySet<string> | undefined> {
  if (subset !== undefined && file !== undefined)
    throw new SuiteError(`--subset ${subset} and --ids ${file} both say which tasks: give one of them`);
  if (subset !== undefined) return await readSubset(kind, subset);
  return file === undefined ? undefined : await readIds(file);
}

async function validateOne(
  name: string,
  { home, json, sandbox, slots }: ValidateFlags,
  terminal: Terminal,
): Promise<void> {
  const suite = await shelf(terminal, home).open(name);
  const { images, egress, gpus } = configOf(terminal, { home });
  const driver = await chooseDriver(driverName(sandbox), createDrivers({ images }));
  await using pool = await openGpus(gpus, terminal.say);
  using interrupt = onInterrupt(terminal, 'Ending.');
  let done = 0;
  const onResult = (result: TaskValidation) => terminal.say(`${++done}/${suite.tasks.length}  ${resultText(result)}`);
  const began = Date.now();
  const validation = await validateSuite(suite, {
    driver,
    concurrency: slots,
    signal: interrupt.signal,
    egress,
    leaseGpus: (task, signal) => leaseForTask(pool, task, signal),
    onResult,
  }).catch((error: unknown) => {
    if (interrupt.signal.aborted)
      throw new CladeError('shutting-down', `Ended after ${done} of ${suite.tasks.length} tasks.`, {
        exitCode: interrupt.exitCode(),
      });
    throw error;
  });
  if (!isValid(validation)) terminal.exitCode = 1;
  const { results: _, ...figures } = validation;
  if (json)
    return terminal.print(
      JSON.stringify({
        suite: suite.name,
        sandbox: driver.name,
        ...figures,
        languages: figuresByLanguage(validation),
        durationMs: Date.now() - began,
      }),
    );
  terminal.print(validationText(suite.name, validation, terminal));
}

function driverName(name: string): (typeof SANDBOXES)[number] {
  const known = SANDBOXES.find((one) => one === name);
  if (known !== undefined) return known;
  throw new CladeError(
    'invalid-request',
    `--sandbox must be one of ${SANDBOXES.join(', ')}, not ${JSON.stringify(name)}.`,
  );
}

/** Every task of the suite has verdicts: its reference, if it has one, resolves it, and doing nothing does not. */
function isValid({ results }: Validation): boolean {
  return (
    results.length > 0 &&
    results.every(
      ({ reference, empty, reason }) =>
        empty?.resolved === false && (reference?.resolved === true || reason === NO_REFERENCE),
    )
  );
}

function validationText(name: string, validation: Validation, { paint }: Terminal): string {
  const { tasks, referenceResolved, emptyResolved, excluded } = validation;
  const verdict = isValid(validation) ? paint.green('valid') : paint.red('not valid');
  const wrong = validation.results.filter(
    ({ reference, empty }) => reference?.resolved === false || empty?.resolved === true,
  );
  return [
    `${name}: ${verdict}. Of ${tasks} tasks the reference solution resolves ${referenceResolved}, the empty patch ${emptyResolved}; ${excluded.length} excluded.`,
    ...languagesText(figuresByLanguage(validation)),
    ...wrong.map((result) => `  ${resultText(result)}`),
    ...excludedLines(excluded, tasks),
  ].join('\n');
}

/** A reason that all tasks share is said once. */
function excludedLines(excluded: Validation['excluded'], tasks: number): string[] {
  const [first] = excluded;
  const isShared =
    excluded.length > 1 && excluded.length === tasks && new Set(excluded.map(({ reason }) => reason)).size === 1;
  if (first !== undefined && isShared) return [`  excluded all ${tasks}: ${plainLine(first.reason)}`];
  return excluded.map(({ id, reason }) => `  excluded ${id}: ${plainLine(reason)}`);
}

function resultText({ id, reference, empty, durationMs }: TaskValidation): string {
  const verdict = (grade: TaskValidation['reference']) =>
    grade === null ? 'no verdict' : grade.resolved ? 'resolved' : `not resolved (${plainLine(grade.reason, 100)})`;
  return `${id}: reference ${verdict(reference)}, empty ${empty?.resolved === false ? 'not resolved' : verdict(empty)}  ${duration(durationMs)}`;
}

function languagesText(figures: readonly LanguageFigures[]): string[] {
  if (figures.length === 0) return [];
  const rows = figures.map(({ language, durationMs, ...counts }) => [
    language,
    ...[counts.tasks, counts.referenceResolved, counts.emptyResolved, counts.excluded].map(String),
    duration(durationMs),
  ]);
  return [table(['language', 'tasks>', 'reference>', 'empty>', 'excluded>', 'time>'], rows)];
}
