import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readText, readTree, reasonOf } from '#benchmarks/files.ts';
import { parseJson } from '#benchmarks/json.ts';
import { replacementPatch } from '#benchmarks/patch.ts';
import type { Suite, Task, TaskFile } from '#benchmarks/schema.ts';
import { SuiteError } from '#benchmarks/suite-error.ts';
import { abilitiesOf } from './polyglot-abilities.ts';
import { type Language, languages } from './polyglot-languages.ts';

/** What of an exercise's `.meta/config.json` matters here. Paths are relative to the exercise. */
const Config = z.object({
  files: z.object({
    solution: z.array(z.string()).default([]),
    test: z.array(z.string()).default([]),
    example: z.array(z.string()).optional(),
    exemplar: z.array(z.string()).optional(),
  }),
});
type Files = z.infer<typeof Config>['files'];

export interface PolyglotOptions {
  /** Only these; every language of the checkout otherwise. */
  languages?: readonly string[];
}

const REMEDY = 'clone the polyglot-benchmark repository again and give its folder';

/** Exercises that measure nothing, as one sees only by running them. */
const USELESS: ReadonlyMap<string, string> = new Map([
  ['javascript-ledger', 'its stub passes every test already: it asks to tidy up, which its tests cannot see'],
]);

/** Folders that describe solutions. */
const GIVEAWAYS = ['.meta/', '.approaches/', '.articles/'];

/**
 * Reads a checkout of the Aider polyglot benchmark: `<language>/exercises/practice/<exercise>/.meta/config.json` and the
 * files that it names. Tasks are named `<language>-<exercise>` and sorted by that. An exercise that cannot be used, for its
 * language or for what it lacks, is excluded with the reason.
 *
 * The workspace is the exercise without its tests, its examples, and `.meta` and the like, where solutions are. Nothing but
 * the solution files counts of a patch. The reference patch replaces the stubs by the example files.
 * @throws SuiteError when this is no such checkout, or one that was damaged.
 */
export async function readPolyglot(
  checkout: string,
  options: PolyglotOptions = {},
): Promise<Pick<Suite, 'tasks' | 'excluded'>> {
  const tasks: Task[] = [];
  const excluded: Suite['excluded'] = [];
  for (const name of await languagesIn(checkout)) {
    const language = languages.get(name);
    const isWanted = options.languages?.includes(name) ?? true;
    for (const exercise of await foldersIn(practiceOf(checkout, name))) {
      const id = `${name}-${exercise}`;
      if (!isWanted) excluded.push({ id, reason: `${name} was not asked for` });
      else if (!language) excluded.push({ id, reason: `tests in ${name} cannot be run yet` });
      else {
        const read = await readExercise(join(practiceOf(checkout, name), exercise), id, language);
        if (typeof read === 'string') excluded.push({ id, reason: read });
        else tasks.push(read);
      }
    }
  }
  if (tasks.length === 0) throw new SuiteError(`${checkout} has no exercise that can be used: ${summaryOf(excluded)}`);
  return { tasks, excluded };
}

/** The task, or why there is none. */
async function readExercise(dir: string, id: string, language: Language): Promise<Task | string> {
  const useless = USELESS.get(id);
  if (useless !== undefined) return useless;
  const place = join(dir, '.meta', 'config.json');
  const { files } = parseJson(Config, await readText(place, REMEDY), place);
  const all = new Map((await readTree(dir)).map((file) => [file.path, file]));
  const pairs = pairUp(files, all);
  if (typeof pairs === 'string') return pairs;
  if (files.test.length === 0) return 'it names no tests';
  const lost = files.test.find((path) => !all.has(path));
  if (lost !== undefined) return `its test ${lost} is missing`;
  const tests = files.test.flatMap((path) => all.get(path) ?? []).map((file) => enabled(file, language));
  const hidden = new Set([...files.test, ...(files.example ?? []), ...(files.exemplar ?? [])]);
  const workspace = [...all.values()].filter(({ path }) => !hidden.has(path) && !isGiveaway(path));
  const referencePatch = pairs.map(({ path, stub, example }) => replacementPatch(path, stub, example)).join('');
  if (referencePatch === '') return 'its stub is the example already';
  const solutions = pairs.map(({ path }) => path);
  return {
    id,
    title: titleOf(id),
    image: 'clade/polyglot:1',
    test: { command: language.command(files.test), report: language.report, timeoutMs: TIMEOUT_MS, env: {} },
    failToPass: language.testNames(tests.map(({ path, bytes }) => ({ path, text: new TextDecoder().decode(bytes) }))),
    passToPass: [],
    protected: [],
    solutionPaths: solutions,
    hints: [`The solution belongs in ${solutions.join(', ')}.`],
    abilities: abilitiesOf(id, solutions.length),
    gpus: 0,
    instruction: instructionOf(all, solutions),
    workspace,
    hiddenTests: tests,
    referencePatch,
  };
}

/** What the benchmark's own harness allows the tests of one exercise. */
const TIMEOUT_MS = 180_000;

interface Pair {
  path: string;
  stub: string;
  example: string;
}

/** Each solution file with its example; or why that cannot be told. */
function pairUp(files: Files, all: ReadonlyMap<string, TaskFile>): Pair[] | string {
  const examples = files.example ?? files.exemplar ?? [];
  if (files.solution.length === 0) return 'it names no solution file';
  if (examples.length !== files.solution.length) {
    return `it has ${files.solution.length} solution files but ${examples.length} examples`;
  }
  const pairs: Pair[] = [];
  for (const [index, path] of files.solution.entries()) {
    const example = examples.find((each) => baseName(each) === baseName(path)) ?? examples[index] ?? '';
    const [stub, solution] = [textOf(all.get(path)), textOf(all.get(example))];
    if (stub === null) return `its solution file ${path} is missing or not text`;
    if (solution === null) return `its example ${example} is missing or not text`;
    pairs.push({ path, stub, example: solution });
  }
  return pairs;
}

function enabled(file: TaskFile, language: Language): TaskFile {
  const text = language.enableTests(new TextDecoder().decode(file.bytes));
  return { ...file, bytes: new TextEncoder().encode(text) };
}

function instructionOf(all: ReadonlyMap<string, TaskFile>, solutions: readonly string[]): string {
  const parts = ['introduction.md', 'instructions.md', 'instructions.append.md'];
  const texts = parts.flatMap((name) => textOf(all.get(`.docs/${name}`))?.trim() ?? []);
  const files = solutions.map((path) => `\`${path}\``).join(', ');
  const rules = `Change ${files} so that it does what is asked above. Keep the names of the functions and classes that are there: tests use them. Use the standard library alone. What is changed elsewhere does not count.`;
  return `${[...texts, '# What to change', rules].join('\n\n')}\n`;
}

async function languagesIn(checkout: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await foldersIn(checkout)) {
    if ((await foldersIn(practiceOf(checkout, name), true)).length > 0) found.push(name);
  }
  if (found.length > 0) return found;
  throw new SuiteError(`${checkout} has no <language>/exercises/practice/<exercise> in it: ${REMEDY}`);
}

function practiceOf(checkout: string, language: string): string {
  return join(checkout, language, 'exercises', 'practice');
}

async function foldersIn(dir: string, mayMiss = false): Promise<string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
    return folders.map((entry) => entry.name).sort();
  } catch (cause) {
    if (mayMiss) return [];
    throw new SuiteError(`${dir} cannot be read (${reasonOf(cause)}): ${REMEDY}`, { cause });
  }
}

function textOf(file: TaskFile | undefined): string | null {
  if (!file) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file.bytes);
  } catch {
    return null;
  }
}

function isGiveaway(path: string): boolean {
  return GIVEAWAYS.some((folder) => path.startsWith(folder));
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `javascript-two-bucket` becomes `Two bucket (javascript)`. */
function titleOf(id: string): string {
  const [language = '', ...words] = id.split('-');
  const text = words.join(' ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)} (${language})`;
}

function summaryOf(excluded: Suite['excluded']): string {
  const [first] = excluded;
  return first ? `${excluded.length} were excluded, first ${first.id}: ${first.reason}` : 'it is empty';
}
