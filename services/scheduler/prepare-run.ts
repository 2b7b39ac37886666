import type { Archive } from '#archive/archive.ts';
import type { RunSpec } from '#archive/schema.ts';
import type { Suite } from '#benchmarks/schema.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { CladeError, listed } from '#services/errors.ts';
import type { ModelCatalog } from '#services/gateway/models.ts';
import { smokeTaskOf, tasksOf } from './run-suite.ts';

export interface PrepareDependencies {
  archive: Pick<Archive, 'repository'>;
  catalog: ModelCatalog;
  openSuite: (name: string) => Promise<Suite>;
  chooseDriver: (wanted: 'auto' | DriverName) => Promise<SandboxDriver>;
  /** Where the seed agent's source is. */
  seedDirectory: string;
}

/** A run as it goes into the archive. */
export interface NewRun {
  spec: RunSpec;
  suiteDigest: string;
  tasks: string[];
  /** The prices it is charged by, whatever the catalogue says later. */
  prices: ModelCatalog;
  seed: { commit: string; tree: string; summary: string };
}

/**
 * Checks that everything a run needs is there, before anything is written.
 * @throws CladeError for an unknown model or task, or a sandbox that is not to be had; SuiteError for the suite.
 */
export async function prepareRun(spec: RunSpec, deps: PrepareDependencies): Promise<NewRun> {
  const suite = await deps.openSuite(spec.suite);
  const tasks = checked('unknown-task', () => tasksOf(spec, suite), suite);
  checked('unknown-task', () => smokeTaskOf(spec, tasks), suite);
  const models = [...new Set(Object.values(spec.models))];
  const prices = Object.fromEntries(models.map((name) => [name, entryOf(name, deps.catalog)]));
  const driver = await deps.chooseDriver(spec.sandbox);
  const real = models.filter((name) => prices[name]?.upstream !== 'rehearsal');
  if (!driver.isolates && real.length > 0 && !spec.allowUnsandboxed) {
    throw new CladeError(
      'sandbox-unavailable',
      `The process driver isolates nothing, and model ${real.join(', ')} would run its own commands with your rights. ` +
        'Install Docker or bubblewrap (`clade doctor` says how), or set allowUnsandboxed to take the risk.',
    );
  }
  const seed = await deps.archive.repository.commitSeed(deps.seedDirectory);
  return {
    spec,
    suiteDigest: suite.digest,
    tasks: tasks.map(({ id }) => id),
    prices,
    seed: { ...seed, summary: 'Seed agent' },
  };
}

function entryOf(name: string, catalog: ModelCatalog): ModelCatalog[string] {
  const entry = Object.hasOwn(catalog, name) ? catalog[name] : undefined;
  if (entry !== undefined) return entry;
  throw new CladeError(
    'unknown-model',
    `There is no model ${JSON.stringify(name)}. Known: ${listed(Object.keys(catalog))}. Add it to the file that CLADE_MODELS names.`,
  );
}

function checked<T>(code: 'unknown-task', choose: () => T, suite: Suite): T {
  try {
    return choose();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CladeError(code, `${cause.message}. It has: ${listed(suite.tasks.map(({ id }) => id))}.`, { cause });
  }
}
