import type { RunSpec } from '#archive/schema.ts';
import type { Suite, Task } from '#benchmarks/schema.ts';

/** The part of the suite a run is about. @throws RangeError naming the task ids that the suite does not have. */
export function tasksOf(spec: Pick<RunSpec, 'tasks' | 'suite'>, suite: Suite): Task[] {
  if (spec.tasks === null) return suite.tasks;
  const wanted = new Set(spec.tasks);
  const known = new Set(suite.tasks.map(({ id }) => id));
  const unknown = [...wanted].filter((id) => !known.has(id));
  if (unknown.length > 0) throw new RangeError(`suite ${spec.suite} has no task ${unknown.join(', ')}`);
  return suite.tasks.filter(({ id }) => wanted.has(id));
}

/** The task every child must solve to be viable: the one asked for, else the first that needs no special ability. */
export function smokeTaskOf(spec: Pick<RunSpec, 'smokeTask' | 'suite'>, tasks: Task[]): Task {
  const named = tasks.find(({ id }) => id === spec.smokeTask);
  if (spec.smokeTask !== null && named === undefined) {
    throw new RangeError(`suite ${spec.suite} has no task ${spec.smokeTask} to use as smoke task`);
  }
  const chosen = named ?? tasks.find(({ abilities }) => abilities.length === 0) ?? tasks[0];
  if (chosen === undefined) throw new RangeError(`suite ${spec.suite} has no tasks`);
  return chosen;
}
