import { createHash } from 'node:crypto';
import { byPath } from './files.ts';
import type { Task, TaskFile } from './schema.ts';

/** Raised when grading itself changes in a way that changes verdicts of an unchanged suite. */
const GRADING = 'clade-grading/3';

/**
 * SHA-256 (hex) over everything that can change a verdict: the whole of every task but its title. The order of tasks, of
 * files and of names in the lists does not matter.
 */
export function digestOf(tasks: readonly Task[]): string {
  const parts = tasks.map(digestOfTask).sort();
  return sha256(JSON.stringify([GRADING, ...parts]));
}

function digestOfTask(task: Task): string {
  const env = Object.entries(task.test.env).sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(
    JSON.stringify([
      task.id,
      task.image,
      [task.test.command, task.test.report, task.test.timeoutMs, env],
      [task.workspaceIn, task.workdir, task.baseCommit, task.applyWith, task.tries, task.needs, task.network],
      task.evalScript,
      [...task.failToPass].sort(),
      [...task.passToPass].sort(),
      [...task.protected].sort(),
      [...task.solutionPaths].sort(),
      task.hints,
      [...task.abilities].sort(),
      gpusOf(task),
      task.instruction,
      task.workspace.toSorted(byPath).map(digestOfFile),
      task.hiddenTests.toSorted(byPath).map(digestOfFile),
      task.graderFiles.toSorted(byPath).map(digestOfFile),
      task.environment.toSorted(byPath).map(digestOfFile),
      task.referencePatch,
      task.solutionFiles.toSorted(byPath).map(digestOfFile),
    ]),
  );
}

/** A plain 0 without any: what came of such tasks before GPUs had more to them still compares. */
function gpusOf({ resources }: Task): unknown {
  return resources.gpus === 0 ? 0 : [resources.gpus, resources.gpuMemoryGiB ?? null, resources.gpuModel ?? null];
}

function digestOfFile(file: TaskFile): [string, boolean, string] {
  return [file.path, file.executable, sha256(file.bytes)];
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
