import { z } from 'zod';
import type { RunSpec } from '#archive/schema.ts';
import { DriverName } from '#sandbox/schema.ts';
import { CladeError } from '#services/errors.ts';
import { CPU_CLASS, jobsAtOnce } from '#services/resource-class.ts';
import type { WorkerDescription } from '#services/worker/fleet.ts';
import type { SandboxKind } from './prepare-run.ts';
import type { Standing } from './worker-view.ts';

/** How many jobs of a resource class a worker can do at once; 0: none, it lacks what they need. */
export function slotsFor({ slots, gpus, gpuShare }: WorkerDescription, resourceClass: string): number {
  return Math.min(slots, jobsAtOnce(resourceClass, gpus, gpuShare));
}

/** What a worker has at the moment: itself without the GPUs that it does not use for now. */
export function inService({ description, gpusOut }: Pick<Standing, 'description' | 'gpusOut'>): WorkerDescription {
  const out = new Set(gpusOut.map(({ uuid }) => uuid));
  return { ...description, gpus: description.gpus.filter(({ uuid }) => !out.has(uuid)) };
}

/**
 * The sandbox driver that a worker would use for a run: the one asked for, or for `auto` the strongest it has. Null when it
 * has none that may be used.
 * @param mayRunBare whether the run may use the process driver, which isolates nothing.
 */
export function driverOn(
  { drivers }: Pick<WorkerDescription, 'drivers'>,
  wanted: RunSpec['sandbox'],
  mayRunBare: boolean,
): DriverName | null {
  const has = (name: DriverName) => drivers.some((driver) => driver.name === name && driver.available);
  const candidates = wanted === 'auto' ? DriverName.options : [wanted];
  const driver = candidates.find(has) ?? null;
  return driver === 'process' && !mayRunBare ? null : driver;
}

/** Whether a worker has what jobs of a class of a run need: the GPUs, and a sandbox that hands them out. */
export function canServe(
  description: WorkerDescription,
  { spec, prices }: { spec: RunSpec; prices: unknown },
  resourceClass: string,
): boolean {
  if (slotsFor(description, resourceClass) === 0) return false;
  const driver = driverOn(description, spec.sandbox, mayRunBare(spec, prices));
  return driver !== null && (resourceClass === CPU_CLASS || driver !== 'bubblewrap');
}

/**
 * The strongest sandbox that a run would get from some workers; those with a weaker one get none of its jobs that it is too
 * weak for. Without workers what was asked for is taken on trust, until some come.
 * @throws CladeError `sandbox-unavailable` when there are workers and none has it.
 */
export function sandboxAmong(
  workers: readonly Pick<WorkerDescription, 'name' | 'drivers'>[],
  wanted: RunSpec['sandbox'],
): SandboxKind {
  const found = new Set(workers.map((worker) => driverOn(worker, wanted, true)));
  const trusted = workers.length > 0 ? null : wanted === 'auto' ? 'docker' : wanted;
  const name = DriverName.options.find((driver) => found.has(driver)) ?? trusted;
  if (name !== null) return { name, isolates: name !== 'process', hasImages: name === 'docker' };
  const told = workers.flatMap(({ name: worker, drivers }) =>
    drivers
      .filter((driver) => wanted === 'auto' || driver.name === wanted)
      .map(({ name: driver, detail }) => `${worker} (${driver}: ${detail})`),
  );
  throw new CladeError(
    'sandbox-unavailable',
    `No worker has the ${wanted} sandbox: ${told.join(', ')}. Start one that has, or choose another with "sandbox".`,
  );
}

const Prices = z.record(z.string(), z.object({ upstream: z.string() }));

/** The models of a run that are no rehearsal: agents driven by them run what nobody has read. */
export function realModels({ models }: Pick<RunSpec, 'models'>, prices: unknown): string[] {
  const { data = {} } = Prices.safeParse(prices);
  return [...new Set(Object.values(models))].filter((name) => data[name]?.upstream !== 'rehearsal');
}

/** Whether a run may use a driver that isolates nothing. */
export function mayRunBare(spec: Pick<RunSpec, 'allowUnsandboxed' | 'models'>, prices: unknown): boolean {
  return spec.allowUnsandboxed || realModels(spec, prices).length === 0;
}
