import { createDrivers } from '#sandbox/drivers.ts';
import { DriverName } from '#sandbox/schema.ts';
import { validateSuite } from '#services/evaluator/validate.ts';
import { sumTask } from './builders.ts';

/** Validates a suite whose tests do not end, until it is killed. */
const { CLADE_TEST_DRIVER: name, CLADE_TEST_SLEEP: sleep = '' } = process.env;
const task = sumTask({ test: { ...sumTask().test, command: ['sleep', sleep], timeoutMs: 600_000 } });
await validateSuite(
  { name: 'endless', title: 'Endless', digest: '0', tasks: [task], excluded: [] },
  { driver: createDrivers()[DriverName.parse(name)], concurrency: 1, signal: new AbortController().signal },
);
