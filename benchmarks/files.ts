import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskFile } from './schema.ts';
import { SuiteError } from './suite-error.ts';

/**
 * Every regular file below `dir`, sorted by path; an absent folder holds none.
 * @throws SuiteError for links, special files and anything named `.git`, which never belong to a task.
 */
export async function readTree(dir: string): Promise<TaskFile[]> {
  const files: TaskFile[] = [];
  await collect(dir, '', files);
  return files.sort(byPath);
}

/** Order of code units, the same on every machine whatever its locale. */
export function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** The text of a file. @throws SuiteError that names the file and says `remedy` when it cannot be read. */
export async function readText(path: string, remedy: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new SuiteError(`${path} cannot be read (${reasonOf(cause)}): ${remedy}`, { cause });
  }
}

/** The code of a system error such as `ENOENT`, else its message. */
export function reasonOf(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.message : String(cause);
}

async function collect(dir: string, prefix: string, files: TaskFile[]): Promise<void> {
  for (const entry of await entriesOf(dir)) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    const place = join(dir, entry.name);
    if (entry.name === '.git')
      throw new SuiteError(`${place} is a git directory: remove it, a task brings plain files`);
    if (entry.isDirectory()) await collect(place, path, files);
    else if (entry.isFile()) files.push({ path, bytes: await readFile(place), executable: await isExecutable(place) });
    else throw new SuiteError(`${place} is not a regular file: replace it by a copy of what it stands for`);
  }
}

async function entriesOf(dir: string) {
  try {
    return await readdir(dir, { withFileTypes: true });
  } catch (cause) {
    if (reasonOf(cause) === 'ENOENT') return [];
    throw new SuiteError(`${dir} cannot be read (${reasonOf(cause)}): make it a readable folder`, { cause });
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o111) !== 0;
}
