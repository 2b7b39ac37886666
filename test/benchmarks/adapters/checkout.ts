import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** The files of an exercise by their paths; null stands for one that is missing. */
export type Tree = Record<string, string | null>;

/** Writes exercises, named `<language>/<exercise>`, as a checkout of the polyglot benchmark has them. */
export async function writeCheckout(checkout: string, exercises: Record<string, Tree>): Promise<string> {
  for (const [exercise, tree] of Object.entries(exercises)) {
    for (const [path, text] of Object.entries(tree)) {
      const place = join(checkout, exercise.replace('/', '/exercises/practice/'), path);
      if (text === null) continue;
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, text);
    }
  }
  return checkout;
}

const data = resolve(
  process.env.CLADE_TEST_DATA ?? join(import.meta.dirname, '../../../../shared/data'),
  'polyglot-js-python.jsonl',
);

/** Why there are no real exercises to test with; null when there are. */
export const missingExercises = existsSync(data)
  ? null
  : `${data} is not there; set CLADE_TEST_DATA to the folder that holds it`;

/** The real exercises in JavaScript and Python, by `<language>/<exercise>`. */
export async function realExercises(): Promise<Record<string, Record<string, string>>> {
  const lines = (await readFile(data, 'utf8')).trim().split('\n');
  const rows = lines.map((line) => JSON.parse(line));
  return Object.fromEntries(rows.map(({ language, exercise, files }) => [`${language}/${exercise}`, files]));
}
