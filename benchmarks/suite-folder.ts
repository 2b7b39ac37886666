import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { byPath, readText, readTree, reasonOf } from './files.ts';
import { parseJson } from './json.ts';
import { applyPatch } from './patch.ts';
import { type Task, type TaskFile, TaskManifest } from './schema.ts';
import { SuiteError } from './suite-error.ts';
import { taskOf } from './task.ts';

/** Not a task: its `workspace/` and `hidden/` are those of every task of the suite, as far as a task has no such file itself. */
const SHARED = 'shared';

/**
 * The tasks of a suite that is kept as one folder a task: `task.json`, `instruction.md`, `workspace/`, and where there are
 * any `hidden/` and `reference.patch`; and what they have in common in the folder `shared`. Sorted by id.
 * @throws SuiteError for the first task that cannot be read.
 */
export async function readTaskFolders(dir: string): Promise<Task[]> {
  const [workspace, hidden] = [join(dir, SHARED, 'workspace'), join(dir, SHARED, 'hidden')];
  const shared = { workspace: await readTree(workspace), hidden: await readTree(hidden) };
  const tasks: Task[] = [];
  for (const folder of await foldersIn(dir))
    if (folder !== SHARED || (await isTask(join(dir, folder)))) tasks.push(await readTask(join(dir, folder), shared));
  return tasks.sort((a, b) => (a.id < b.id ? -1 : 1));
}

async function isTask(dir: string): Promise<boolean> {
  return (await readdir(dir)).includes('task.json');
}

async function foldersIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map((entry) => entry.name);
}

interface SharedFiles {
  workspace: readonly TaskFile[];
  hidden: readonly TaskFile[];
}

async function readTask(dir: string, shared: SharedFiles): Promise<Task> {
  const place = join(dir, 'task.json');
  const text = await readText(place, 'every folder of a suite is a task and needs its manifest there');
  const manifest = parseJson(TaskManifest, text, place);
  const workspace = together(await readTree(join(dir, 'workspace')), shared.workspace);
  if (workspace.length === 0)
    throw new SuiteError(`${join(dir, 'workspace')} holds no files: put there what a solver starts from`);
  return taskOf(manifest, {
    instruction: await readText(join(dir, 'instruction.md'), 'write there what a solver is asked to do'),
    workspace,
    hiddenTests: together(await readTree(join(dir, 'hidden')), shared.hidden),
    referencePatch: await readPatch(join(dir, 'reference.patch'), workspace),
  });
}

function together(own: readonly TaskFile[], shared: readonly TaskFile[]): TaskFile[] {
  const paths = new Set(own.map(({ path }) => path));
  return [...own, ...shared.filter(({ path }) => !paths.has(path))].sort(byPath);
}

async function readPatch(path: string, workspace: readonly TaskFile[]): Promise<string | null> {
  let text: string;
  try {
    text = await readText(path, 'make it readable');
  } catch (error) {
    if (error instanceof SuiteError && reasonOf(error.cause) === 'ENOENT') return null;
    throw error;
  }
  checkPatch(workspace, text, path);
  return text;
}

/** @throws SuiteError when a reference patch does not apply to its workspace. */
export function checkPatch(workspace: readonly TaskFile[], patch: string, where: string): void {
  try {
    applyPatch(workspace, patch);
  } catch (cause) {
    throw new SuiteError(`${where} does not apply to the workspace: ${reasonOf(cause)}`, { cause });
  }
}
