import type { Task, TaskFile } from '#benchmarks/schema.ts';

/** A small task; name what matters. */
export function aTask(more: Partial<Task> = {}): Task {
  return {
    id: 'a',
    title: 'A task',
    image: 'clade/base:1',
    test: { command: ['node', '--test'], report: 'tap', timeoutMs: 1000, env: { B: '2', A: '1' } },
    failToPass: ['new'],
    passToPass: ['old', 'older'],
    protected: ['test/'],
    solutionPaths: [],
    hints: [],
    abilities: [],
    gpus: 0,
    instruction: 'Do it.',
    workspace: [aFile('a.js', '1\n')],
    hiddenTests: [aFile('a.test.js', 'test\n')],
    referencePatch: null,
    ...more,
  };
}

export function aFile(path: string, text: string, executable = false): TaskFile {
  return { path, bytes: new TextEncoder().encode(text), executable };
}
