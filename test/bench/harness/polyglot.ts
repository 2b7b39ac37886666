import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { readPolyglot } from '#benchmarks/adapters/polyglot.ts';
import type { Suite } from '#benchmarks/schema.ts';
import { type Validation, validateSuite } from '#services/evaluator/validate.ts';
import type { Found } from '#test/bench/sections.ts';
import { writeCheckout } from '#test/benchmarks/adapters/checkout.ts';
import { wallMs } from './figures.ts';
import { type TimedCalls, timedDriver, withTimedCommand } from './inside-time.ts';
import { type Bench, type HarnessSection, msText, shareText } from './section.ts';

const SLOTS = 2;

const Exercise = z.object({ language: z.string(), exercise: z.string(), files: z.record(z.string(), z.string()) });

/** A suite validated whole, and how much of it was not tests. */
export const polyglot: HarnessSection = { title: 'Polyglot validated whole', measure };

async function measure({ docker, polyglot: file, signal, say }: Bench): Promise<Found> {
  if (file === undefined) return { skipped: 'no exercises were given: --polyglot FILE' };
  if ('missing' in docker) return { skipped: docker.missing };
  const suite = await suiteOf(file);
  for (const image of new Set(suite.tasks.map((task) => task.image))) await docker.driver.prepare(image, { signal });
  const { driver, taken } = timedDriver(docker.driver);
  let done = 0;
  const onResult = () => void (++done % 10 === 0 && say(`  ${done} of ${suite.tasks.length} tasks`));
  const validating = { driver, concurrency: SLOTS, signal, onResult };
  let validation: Validation | undefined;
  const ms = await wallMs(async () => {
    validation = await validateSuite(suite, validating);
  });
  if (validation === undefined) throw new Error('The validation came to nothing.');
  return foundIn(validation, taken(), ms);
}

async function suiteOf(file: string): Promise<Suite> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  const rows = lines.map((line) => Exercise.parse(JSON.parse(line)));
  const checkout = await mkdtemp(join(tmpdir(), 'clade-bench-polyglot-'));
  try {
    await writeCheckout(
      checkout,
      Object.fromEntries(rows.map(({ language, exercise, files }) => [`${language}/${exercise}`, files])),
    );
    const { tasks, excluded } = await readPolyglot(checkout);
    return { name: 'polyglot', title: '', digest: '', tasks: tasks.map(withTimedCommand), excluded };
  } finally {
    await rm(checkout, { recursive: true });
  }
}

function foundIn(validation: Validation, calls: TimedCalls, wholeMs: number): Found {
  const all = figuresOf(validation, calls, '');
  const languages = [...new Set(validation.results.map(({ id }) => languageOf(id)))];
  const parts = languages.map((language) => figuresOf(validation, calls, `${language}-`));
  return {
    head: ['', 'tasks', 'references', 'stubs', 'sandboxes', 'grades', 'tests', 'not tests', 'each sandbox'],
    rows: [...parts.map((part, at) => rowOf(languages[at] ?? '', part)), rowOf('all', all)],
    notes: [
      `${(wholeMs / 1000).toFixed(0)} s by the clock with ${SLOTS} at once; ${validation.excluded.length} excluded.`,
      'Grades: the time from the start of a task to its end, summed over tasks, so that it is about the clock times those at once.',
      'Tests: what the test commands say they took inside, their own start with it. Each sandbox: what is not tests, a sandbox.',
    ],
    figures: {
      wallMs: wholeMs,
      atOnce: SLOTS,
      ...all,
      languages: Object.fromEntries(languages.map((one, at) => [one, parts[at]])),
    },
  };
}

interface Figures {
  tasks: number;
  referencesResolved: number;
  stubsResolved: number;
  sandboxes: number;
  gradesMs: number;
  testsMs: number;
  shareNotTests: number;
}

function figuresOf({ results }: Validation, calls: TimedCalls, prefix: string): Figures {
  const own = results.filter(({ id }) => id.startsWith(prefix));
  const opened = calls.filter(({ job }) => job.startsWith(prefix));
  const gradesMs = own.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const testsMs = opened.reduce((sum, { insideMs }) => sum + insideMs, 0);
  return {
    tasks: own.length,
    referencesResolved: own.filter(({ reference }) => reference?.resolved).length,
    stubsResolved: own.filter(({ empty }) => empty?.resolved).length,
    sandboxes: opened.length,
    gradesMs,
    testsMs,
    shareNotTests: 1 - testsMs / gradesMs,
  };
}

const languageOf = (id: string): string => id.slice(0, id.indexOf('-'));

function rowOf(title: string, figures: Figures): string[] {
  const { tasks, referencesResolved, stubsResolved, sandboxes, gradesMs, testsMs, shareNotTests } = figures;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
  return [
    title,
    `${tasks}`,
    `${referencesResolved} resolved`,
    `${stubsResolved} resolved`,
    `${sandboxes}`,
    seconds(gradesMs),
    seconds(testsMs),
    shareText(shareNotTests),
    msText((gradesMs - testsMs) / sandboxes),
  ];
}
