import type { Ability, Suite, Task } from '#benchmarks/schema.ts';
import { type Reference, readReference } from './reference.ts';

/** What the rehearsal knows of a task: how it is solved, and a word to search for. */
export interface Known {
  task: Task;
  reference: Reference;
  /** Files to change that are there from the start. */
  paths: string[];
  /** A word that is rare in the workspace and near the first change. */
  word: string;
}

/** Kept for as long as the suite's object lives; a suite is read only once. */
const indexes = new WeakMap<Suite, ReadonlyMap<string, Task>>();
const known = new WeakMap<Task, Known | null>();

/** Finds the task whose instruction stands in the message: the longest, should there be several. Null: no such task. */
export function findTask(suites: readonly Suite[], message: string): Known | null {
  const found = suites.flatMap((suite) => [...indexOf(suite)]).filter(([instruction]) => message.includes(instruction));
  const [, task] = found.sort(([a], [b]) => b.length - a.length)[0] ?? [];
  return task ? knowledgeOf(task) : null;
}

/** What the tasks take whose instructions stand in a text, perhaps cut short. */
export function abilitiesIn(suites: readonly Suite[], text: string): Ability[] {
  const tasks = suites
    .flatMap((suite) => [...indexOf(suite)])
    .filter(([instruction]) => text.includes(instruction.slice(0, 160)));
  return [...new Set(tasks.flatMap(([, task]) => task.abilities))];
}

function indexOf(suite: Suite): ReadonlyMap<string, Task> {
  const index = indexes.get(suite) ?? new Map(suite.tasks.map((task) => [task.instruction.trim(), task]));
  indexes.set(suite, index);
  return index;
}

function knowledgeOf(task: Task): Known | null {
  const before = known.get(task);
  if (before !== undefined) return before;
  const now = task.referencePatch === null ? null : study(task, task.referencePatch);
  known.set(task, now);
  return now;
}

function study(task: Task, patch: string): Known {
  const reference = readReference(task.workspace, patch);
  const there = reference.changes.filter((change) => change.kind !== 'write' || !change.isNew);
  const paths = [...new Set(there.map(({ path }) => path))];
  return { task, reference, paths, word: rareWord(task, reference, paths[0]) };
}

function rareWord(task: Task, reference: Reference, path: string | undefined): string {
  const texts = task.workspace.map((file) => new TextDecoder().decode(file.bytes));
  const [first] = reference.changes;
  const near =
    first?.kind === 'replace'
      ? first.before
      : new TextDecoder().decode(task.workspace.find((file) => file.path === path)?.bytes);
  const words = [...new Set(near.match(/[A-Za-z_]\w{4,}/g) ?? [])];
  const uses = (word: string) => texts.reduce((sum, text) => sum + text.split(word).length - 1, 0);
  const [rarest] = words.map((word) => ({ word, uses: uses(word) })).sort((a, b) => a.uses - b.uses);
  return rarest?.word ?? task.title.split(' ')[0] ?? 'main';
}
