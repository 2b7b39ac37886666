import { join } from 'node:path';
import { digestOf } from '#benchmarks/digest.ts';
import { writeTaskLines } from '#benchmarks/suite-file.ts';
import { taskOf } from '#benchmarks/task.ts';

/** Puts a suite of so many tasks on the shelf of a data directory, which nobody will solve. @returns its name. */
export async function writeSleepingSuite(home: string, count: number): Promise<string> {
  const workspace = [{ path: 'README.md', bytes: new TextEncoder().encode('# Nothing to do\n'), executable: false }];
  const tasks = Array.from({ length: count }, (_, at) =>
    taskOf(
      {
        id: `sleep-${String(at).padStart(6, '0')}`,
        title: 'Sleep',
        image: 'clade/base:1',
        test: { command: ['true'], report: 'exit-code', timeoutMs: 60_000 },
      },
      { instruction: 'Sleep.', workspace, hiddenTests: [], referencePatch: null },
    ),
  );
  const name = 'sleep';
  await writeTaskLines(join(home, 'suites'), { name, title: 'Sleep', digest: digestOf(tasks), tasks, excluded: [] });
  return name;
}

/** A run of one agent on each task once, with nothing bred. */
export function sleepingSpec({ suite, slots, trials }: { suite: string; slots: number; trials: number }) {
  return {
    ...{ suite, slots, sandbox: 'process', finalMeasure: false },
    policy: { kind: 'uniform', trialsPerAgent: trials },
    budget: { trials },
  };
}
