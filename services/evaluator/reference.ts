import type { Task } from '#benchmarks/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import type { GradeDeps, GradingSandbox } from './grade-patch.ts';
import { openNetwork, policyFor } from './network.ts';
import { takePatch } from './snapshot.ts';
import { taskImage } from './task-image.ts';
import { atLeast } from './task-limits.ts';
import { firstLine, printedText } from './transcript.ts';

/** A task's own solution does not work. The message says how. */
export class BrokenReference extends Error {
  override name = 'BrokenReference';
}

/** How long a solution may take. */
const SOLVE_MS = 30 * 60_000;

/**
 * The patch that solves a task: its reference patch, or what its solution script makes of a workspace in a sandbox such as
 * solvers have, where that is how the task says it. Null: it says nothing.
 * @throws BrokenReference; what the driver throws.
 */
export async function referencePatchOf(task: Task, where: GradingSandbox, deps: GradeDeps): Promise<string | null> {
  if (task.referencePatch !== null || task.solutionFiles.length === 0) return task.referencePatch;
  const policy = policyFor(task, deps.egress);
  const image = await taskImage(task, deps);
  const spec = { ...where, image, limits: atLeast(where.limits, task.needs), writableRoot: true, tools: true };
  await using sandbox = await deps.driver.open({ ...spec, deadlineMs: Date.now() + 2 * SOLVE_MS }, deps);
  await sandbox.put('/', packTar(task.solutionFiles));
  await using network = await openNetwork(sandbox, policy, deps.signal);
  const env = { ...sandbox.baseEnv, ...network.env };
  const options = { cwd: task.workdir, env, deadlineMs: Date.now() + SOLVE_MS, signal: deps.signal };
  const result = await sandbox.exec(['/bin/bash', '/solution/solve.sh'], options);
  if (result.exitCode !== 0)
    throw new BrokenReference(
      `Its solution/solve.sh ended with ${result.exitCode ?? 'its time'}: ${firstLine(printedText(result.stderr))}`,
    );
  await sandbox.quiesce();
  const taken = await takePatch(sandbox, task.workdir, deps.signal);
  if (taken.patch === null) throw new BrokenReference(`What its solution/solve.sh leaves is no patch: ${taken.detail}`);
  return taken.patch;
}
