import type { Archive } from '#archive/archive.ts';
import type { RootAgent, RunResources } from '#archive/runs.ts';
import type { RunSpec } from '#archive/schema.ts';
import type { Suite, Task } from '#benchmarks/schema.ts';
import { admit, type EgressPermit, NO_EGRESS } from '#sandbox/egress/policy.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { CladeError, listed } from '#services/errors.ts';
import type { ModelCatalog } from '#services/gateway/models.ts';
import { resourceClassOf } from '#services/resource-class.ts';
import { adoptedAgents, measuredTasks } from './measured-agents.ts';
import { smokeTaskOf, tasksOf } from './run-suite.ts';
import { realModels } from './serving.ts';

export interface PrepareDependencies {
  archive: Pick<Archive, 'agents' | 'repository' | 'runs'>;
  catalog: ModelCatalog;
  openSuite: (name: string) => Promise<Suite>;
  /** What the run's sandboxes would be. @throws SandboxUnavailable when there is nowhere to run. */
  chooseSandbox: (wanted: 'auto' | DriverName) => Promise<SandboxKind> | SandboxKind;
  /** What sandboxes may reach at most. By default nothing. */
  egress?: EgressPermit;
  /** Where the seed agent's source is. */
  seedDirectory: string;
}

/** What a run must know of the sandboxes that it will get. */
export interface SandboxKind {
  name: DriverName;
  isolates: boolean;
  hasImages: boolean;
}

/** A run as it goes into the archive. */
export interface NewRun {
  spec: RunSpec;
  suiteDigest: string;
  tasks: string[];
  heldOut: string[];
  resources?: RunResources;
  /** The prices it is charged by, whatever the catalogue says later. */
  prices: ModelCatalog;
  roots: RootAgent[];
}

/**
 * Checks that everything a run needs is there, before anything is written.
 * @throws CladeError for an unknown model, task or agent, or a sandbox that is not to be had; SuiteError for the suite.
 */
export async function prepareRun(spec: RunSpec, deps: PrepareDependencies): Promise<NewRun> {
  const suite = await deps.openSuite(spec.suite);
  const tasks = checkedTasks(() => tasksFor(spec, suite, deps));
  const models = [...new Set(Object.values(spec.models))];
  const prices = Object.fromEntries(models.map((name) => [name, entryOf(name, deps.catalog)]));
  const driver = await deps.chooseSandbox(spec.sandbox);
  const chosen = suite.tasks.filter(({ id }) => tasks.tasks.includes(id));
  assertRunnable(chosen, driver, deps.egress ?? NO_EGRESS);
  const real = realModels(spec, prices);
  if (!driver.isolates && real.length > 0 && !spec.allowUnsandboxed) {
    throw new CladeError(
      'sandbox-unavailable',
      `The process driver isolates nothing, and model ${real.join(', ')} would run its own commands with your rights. ` +
        'Install Docker or bubblewrap (`clade doctor` says how), or set allowUnsandboxed to take the risk.',
    );
  }
  const resources = resourcesOf(spec, chosen);
  return { spec, suiteDigest: suite.digest, ...tasks, resources, prices, roots: await rootsFor(spec, deps) };
}

/** @throws CladeError that names the tasks whose sandboxes cannot be had here, and why. */
function assertRunnable(tasks: readonly Task[], driver: SandboxKind, egress: EgressPermit): void {
  const ids = (chosen: readonly Task[]) => listed(chosen.map(({ id }) => id));
  const refused = tasks.flatMap(({ id, network }) => {
    const admitted = network === null ? null : admit(network, egress);
    return admitted !== null && 'refusal' in admitted ? [`${id} (${admitted.refusal})`] : [];
  });
  if (refused.length > 0)
    throw new CladeError(
      'invalid-request',
      `These tasks must reach what no sandbox here may: ${listed(refused)}. Name the hosts in CLADE_EGRESS, or leave the tasks out with "tasks".`,
    );
  const onGpus = tasks.filter(({ resources }) => resources.gpus > 0);
  if (driver.name === 'bubblewrap' && onGpus.length > 0)
    throw new CladeError(
      'sandbox-unavailable',
      `These tasks need GPUs, and the bubblewrap sandbox hands out none: ${ids(onGpus)}. Use the docker sandbox with the NVIDIA Container Toolkit (\`clade doctor\` says how to get it).`,
    );
  const inImages = tasks.filter(({ workspaceIn }) => workspaceIn === 'image');
  if (!driver.hasImages && inImages.length > 0)
    throw new CladeError(
      'sandbox-unavailable',
      `These tasks have their workspace in a Docker image, and the ${driver.name} sandbox has no images: ${ids(inImages)}. Use the docker sandbox (\`clade doctor\` says how to get it).`,
    );
}

/** Of what needs GPUs. A proposal needs what its smoke task does. */
function resourcesOf(spec: RunSpec, tasks: readonly Task[]): RunResources {
  const needing = tasks.filter(({ resources }) => resources.gpus > 0);
  if (needing.length === 0) return {};
  const byTask = Object.fromEntries(needing.map(({ id, resources }) => [id, resourceClassOf(resources)]));
  const smokeTask = spec.policy.kind === 'measure' ? null : smokeTaskOf(spec, tasks);
  const proposals = smokeTask === null ? undefined : byTask[smokeTask.id];
  return { tasks: byTask, ...(proposals === undefined ? {} : { proposals }) };
}

function tasksFor(spec: RunSpec, suite: Suite, { archive }: PrepareDependencies): Pick<NewRun, 'tasks' | 'heldOut'> {
  if (spec.policy.kind === 'measure') return { tasks: measuredTasks(archive, spec, spec.policy, suite), heldOut: [] };
  const { search, heldOut } = tasksOf(spec, suite);
  smokeTaskOf(spec, search);
  return { tasks: search.map(({ id }) => id), heldOut: heldOut.map(({ id }) => id) };
}

async function rootsFor({ policy }: RunSpec, { archive, seedDirectory }: PrepareDependencies): Promise<RootAgent[]> {
  if (policy.kind === 'measure') return adoptedAgents(archive, policy);
  return [{ ...(await archive.repository.commitSeed(seedDirectory)), summary: 'Seed agent' }];
}

function entryOf(name: string, catalog: ModelCatalog): ModelCatalog[string] {
  const entry = Object.hasOwn(catalog, name) ? catalog[name] : undefined;
  if (entry !== undefined) return entry;
  throw new CladeError(
    'unknown-model',
    `There is no model ${JSON.stringify(name)}. Known: ${listed(Object.keys(catalog))}. Add it to the file that CLADE_MODELS names.`,
  );
}

function checkedTasks<T>(choose: () => T): T {
  try {
    return choose();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CladeError('unknown-task', `${cause.message}.`, { cause });
  }
}
