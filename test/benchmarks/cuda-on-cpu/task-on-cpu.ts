import type { Task, TaskFile } from '#benchmarks/schema.ts';

/** Sizes for the timing that a CPU gets through in no time; all else of a task stays as it is. */
const TIMED: Readonly<Record<string, string>> = {
  'argmax-rows': '2, 300',
  'convolution-2d': '40, 40',
  histogram: "2'000",
  'layer-norm': '2, 300',
  'matrix-multiply': '70, 70, 70',
  'n-body': '200',
  'prefix-sum': "2'000",
  'scale-add-relu': "2'000",
  'softmax-rows': '2, 300',
  'sum-reduce': "2'000",
  transpose: '70, 70',
};

export interface Slowness {
  /** Milliseconds that each call of the baseline sleeps. */
  baselineMs?: number;
  /** The same of the kernel that a solver starts from. */
  kernelMs?: number;
  /** How many times as fast solves it, instead of the task's own target. */
  target?: number;
}

/**
 * A task of the suite `kernels` at sizes for a CPU. How fast a kernel is there says nothing of a GPU, so that differences in speed
 * are made by sleeping.
 */
export function onCpu(task: Task, { baselineMs = 0, kernelMs = 0, target }: Slowness = {}): Task {
  const sizes = TIMED[task.id];
  if (sizes === undefined) throw new Error(`There are no sizes for ${task.id} on a CPU`);
  const changes: Record<string, (text: string) => string> = {
    'check/task.h': (text) => {
      const sized = text.replace(/TIMED = \{[^}]*\}/, `TIMED = {${sizes}}`);
      return target === undefined ? sized : sized.replace(/TARGET = \d+/, `TARGET = ${target}`);
    },
    'check/baseline.cu': (text) => slowed(text, baselineMs),
    'kernel.cu': (text) => slowed(text, kernelMs),
  };
  return { ...task, workspace: task.workspace.map((file) => changed(file, changes[file.path] ?? ((text) => text))) };
}

/** A source of CUDA C++ whose function for C sleeps whenever it is called. */
export function slowed(source: string, ms: number): string {
  if (ms === 0) return source;
  return source
    .replace(/^#include/, '#include <unistd.h>\n#include')
    .replace(/^extern "C" [^{]*\{/m, `$&\n  usleep(${ms * 1_000});`);
}

export function textOf(task: Task, path: string): string {
  const file = task.workspace.find((one) => one.path === path);
  if (file === undefined) throw new Error(`${task.id} has no ${path}`);
  return new TextDecoder().decode(file.bytes);
}

function changed(file: TaskFile, change: (text: string) => string): TaskFile {
  return { ...file, bytes: new TextEncoder().encode(change(new TextDecoder().decode(file.bytes))) };
}
