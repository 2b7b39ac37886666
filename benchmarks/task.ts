import type { SolverView, Task } from './schema.ts';

/**
 * What may enter a solving sandbox: a copy that names each field, so that a field added to `Task` stays outside until it
 * is added here on purpose. Hidden tests, the names of tests and the reference patch are never in it.
 */
export function solverView(task: Task): SolverView {
  return {
    id: task.id,
    image: task.image,
    instruction: task.instruction,
    hints: [...task.hints],
    workspace: task.workspace.map(({ path, bytes, executable }) => ({ path, bytes, executable })),
  };
}
