import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { reasonOf } from '#benchmarks/files.ts';
import { placed } from '#benchmarks/harbor/finding.ts';
import { type HarborOptions, readHarborTask } from '#benchmarks/harbor/read-task.ts';
import type { Suite } from '#benchmarks/schema.ts';
import { SuiteError } from '#benchmarks/suite-error.ts';
import { noTaskText } from './rows.ts';

export interface HarborImport extends HarborOptions {
  /** Only tasks with these ids. */
  ids?: ReadonlySet<string>;
  /** Told of what is odd about a task that is used all the same. */
  onWarning?: (line: string) => void;
}

/**
 * Reads one task in Harbor's form, or a folder of them, sorted by id. What cannot be used is excluded with the first of its
 * faults, and where it stands.
 * @throws SuiteError when the place holds no task that can be used.
 */
export async function readHarbor(
  place: string,
  options: HarborImport = {},
): Promise<Pick<Suite, 'tasks' | 'excluded'>> {
  const folders = await taskFolders(place);
  for (const name of await foldersWithoutTask(place, folders))
    options.onWarning?.(`${name}/ has no task.toml: passed over`);
  if (folders.length === 0)
    throw new SuiteError(`${place} has no task in it: give a folder with a task.toml, or a folder of such folders`);
  const tasks: Suite['tasks'] = [];
  const excluded: Suite['excluded'] = [];
  for (const { id, dir } of folders) {
    if (options.ids && !options.ids.has(id)) continue;
    const { task, findings } = await readHarborTask(dir, options);
    const [fault, ...more] = findings.filter(({ severity }) => severity === 'error');
    if (task) tasks.push(task);
    else
      excluded.push({
        id,
        reason: `${fault ? placed(fault) : 'it cannot be read'}${more.length > 0 ? ` (and ${more.length} more)` : ''}`,
      });
    for (const finding of findings) if (finding.severity === 'warning') options.onWarning?.(`${id}/${placed(finding)}`);
  }
  if (tasks.length === 0) throw new SuiteError(noTaskText(place, excluded));
  return { tasks, excluded };
}

/** The folders with a `task.toml`: the place itself, or those in it, or in its folder `tasks`. Sorted by name. */
export async function taskFolders(place: string): Promise<{ id: string; dir: string }[]> {
  if (await isFile(join(place, 'task.toml'))) return [{ id: basename(resolve(place)), dir: place }];
  const names = (await foldersIn(place)).sort();
  const found: { id: string; dir: string }[] = [];
  for (const id of names) if (await isFile(join(place, id, 'task.toml'))) found.push({ id, dir: join(place, id) });
  return found.length === 0 && names.includes('tasks') ? await taskFolders(join(place, 'tasks')) : found;
}

/** What else is beside the tasks. */
async function foldersWithoutTask(place: string, tasks: readonly { id: string; dir: string }[]): Promise<string[]> {
  const isAmong = tasks.some(({ id, dir }) => dir === join(place, id));
  if (!isAmong) return [];
  const known = new Set(tasks.map(({ id }) => id));
  return (await foldersIn(place)).filter((name) => !known.has(name)).sort();
}

async function foldersIn(place: string): Promise<string[]> {
  try {
    const entries = await readdir(place, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map((entry) => entry.name);
  } catch (cause) {
    throw new SuiteError(`${place} cannot be read (${reasonOf(cause)}): give a folder with tasks`, { cause });
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}
