import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import type { Suite, Task } from '#benchmarks/schema.ts';
import { openSuite } from '#benchmarks/suite.ts';
import { createProcess } from '#sandbox/process.ts';
import { validateSuite } from '#services/evaluator/validate.ts';
import { processesWith, someSleep } from '#test/conformance/sandbox-drivers.ts';
import { workingDrivers } from '#test/provision/drivers.ts';
import { sumFix, sumTask } from './builders.ts';

const PROGRAM = fileURLToPath(new URL('./validation-to-kill.ts', import.meta.url));
const drivers = await workingDrivers();

const deps = () => ({ driver: createProcess(), concurrency: 2, signal: new AbortController().signal });

describe('validating a suite', () => {
  it('grades the reference patch and the empty patch of every task', async () => {
    const told: string[] = [];
    const validation = await validateSuite(suiteOf([sumTask(), sumTask({ id: 'two' })]), {
      ...deps(),
      onResult: ({ id }) => told.push(id),
    });
    expect(validation).toMatchObject({ tasks: 2, referenceResolved: 2, emptyResolved: 0, excluded: [] });
    expect(validation.results.map(({ id, reference, empty }) => [id, reference?.resolved, empty?.resolved])).toEqual([
      ['sum', true, false],
      ['two', true, false],
    ]);
    expect(told.sort()).toEqual(['sum', 'two']);
  });

  it('shows a task that is solved without any change, and one that its reference does not solve', async () => {
    const solvedAlready = sumTask({ id: 'solved', test: { ...sumTask().test, command: ['true'] } });
    const unsolvable = sumTask({ id: 'unsolvable', test: { ...sumTask().test, command: ['false'] } });
    const validation = await validateSuite(suiteOf([solvedAlready, unsolvable]), deps());
    expect(validation).toMatchObject({ referenceResolved: 1, emptyResolved: 1, excluded: [] });
  });

  it('lists tasks that cannot be validated with the reason and goes on', async () => {
    const driver = createProcess();
    const failing = {
      ...driver,
      prepare: async (image: string) => (image === 'none:1' ? Promise.reject(new Error('no image none:1')) : undefined),
    };
    const tasks = [
      sumTask({ id: 'no-reference', referencePatch: null }),
      sumTask({ id: 'stale', referencePatch: sumFix.replace('a - b', 'a * b') }),
      sumTask({ id: 'no-image', image: 'none:1' }),
      sumTask({ id: 'fine' }),
    ];
    const suite = { ...suiteOf(tasks), excluded: [{ id: 'broken', reason: 'not readable' }] };
    const { excluded, results, ...counts } = await validateSuite(suite, { ...deps(), driver: failing });
    expect(counts).toEqual({ tasks: 5, referenceResolved: 1, emptyResolved: 0 });
    expect(excluded.map(({ id, reason }) => `${id}: ${reason}`).sort()).toEqual([
      'broken: not readable',
      'no-image: no image none:1',
      'no-reference: It has no reference patch.',
      expect.stringMatching(/^stale: Its reference patch cannot be used: The patch does not apply/),
    ]);
    expect(results).toHaveLength(4);
  });

  it('stops when it is told to', async () => {
    const stop = AbortSignal.abort(new Error('enough'));
    await expect(validateSuite(suiteOf([sumTask()]), { ...deps(), signal: stop })).rejects.toThrow('enough');
  });

  it.each(drivers.map((driver) => [driver.name, driver] as const))(
    'removes what one that was killed left behind, and nothing of one that goes on: %s',
    async (name, driver) => {
      const sleeps = [someSleep(), someSleep()] as const;
      const [killed, living] = sleeps.map((sleep) => {
        const env = { ...process.env, CLADE_TEST_DRIVER: name, CLADE_TEST_SLEEP: sleep };
        return spawn(process.execPath, [PROGRAM], { env, stdio: 'inherit' });
      });
      try {
        await vi.waitFor(
          () => expect(sleeps.map((sleep) => processesWith(sleep).length > 0)).toEqual([true, true]),
          50_000,
        );
        killed?.kill('SIGKILL');
        await once(killed ?? process, 'exit');
        await validateSuite(suiteOf([sumTask()]), { ...deps(), driver });
        expect(sleeps.map((sleep) => processesWith(sleep).length > 0)).toEqual([false, true]);
      } finally {
        killed?.kill('SIGKILL');
        living?.kill('SIGKILL');
      }
      await once(living ?? process, 'exit');
      await validateSuite(suiteOf([]), { ...deps(), driver });
      expect(processesWith(sleeps[1])).toEqual([]);
    },
    120_000,
  );

  it('finds every built-in kata solvable and none solved', async () => {
    const suite = await openSuite('katas', { shelf: path.resolve('no-such-shelf') });
    const validation = await validateSuite(suite, deps());
    expect(validation).toMatchObject({ referenceResolved: suite.tasks.length, emptyResolved: 0, excluded: [] });
    expect(validation.tasks).toBeGreaterThanOrEqual(12);
  }, 120_000);
});

function suiteOf(tasks: Task[]): Suite {
  return { name: 'sums', title: 'Sums', digest: '0', tasks, excluded: [] };
}
