import type { Archive } from '#archive/archive.ts';
import type { RunId } from '#archive/schema.ts';
import { CPU_CLASS, classText, type GpuSize, gpusText } from '#services/resource-class.ts';
import { handsOutJobs } from './run-states.ts';

/** A worker that takes jobs, and what it has. */
export interface Supplier {
  name: string;
  gpus: readonly GpuSize[];
}

/** The workers as far as it matters for which jobs can be done at all. */
export interface Supply {
  /** Those that live and are meant to work. */
  working(): readonly Supplier[];
  /** Whether one of them could do jobs of a class of a run. */
  canServe(worker: string, job: { runId: RunId; resourceClass: string }): boolean;
}

/** The code of the notices. */
export const NO_WORKER = 'no-worker';
export const WORKER_FOUND = 'worker-found';

/** After a start, workers that are there may not have said so yet. */
const GRACE_MS = 15_000;

export interface UnservedDependencies {
  archive: Pick<Archive, 'events' | 'runs'>;
  supply: Supply;
  clock: () => number;
}

/** Says in a run's events when no worker can do some of its jobs: once, again when that changes, and when it is over. */
export class UnservedWatch {
  readonly #deps: UnservedDependencies;
  readonly #sinceMs: number;
  /** What was said last of each run; null: that all is well again. */
  readonly #said = new Map<RunId, string | null>();

  constructor(deps: UnservedDependencies) {
    this.#deps = deps;
    this.#sinceMs = deps.clock();
  }

  look(runIds: Iterable<RunId>): void {
    const { archive, supply } = this.#deps;
    const working = supply.working();
    if (working.length === 0 && this.#deps.clock() - this.#sinceMs < GRACE_MS) return;
    for (const runId of runIds) {
      const run = archive.runs.get(runId);
      if (run !== null && handsOutJobs(run.state)) this.#say(runId, this.#textFor(runId, working));
    }
  }

  #textFor(runId: RunId, working: readonly Supplier[]): string | null {
    const classes = classesOf(this.#deps.archive, runId);
    const isUnserved = (resourceClass: string) =>
      !working.some(({ name }) => this.#deps.supply.canServe(name, { runId, resourceClass }));
    const unserved = [...classes].filter(([resourceClass]) => isUnserved(resourceClass));
    return unserved.length === 0 ? null : unservedText(unserved, working);
  }

  #say(runId: RunId, text: string | null): void {
    const said = this.#said.get(runId) ?? null;
    if (text === said) return;
    this.#said.set(runId, text);
    const { archive, clock } = this.#deps;
    if (text !== null) archive.events.notice(runId, 'warning', NO_WORKER, text, clock());
    else archive.events.notice(runId, 'info', WORKER_FOUND, 'All its jobs can be done by some worker now.', clock());
  }
}

/** The classes that a run needs, each with the tasks that need it; of `cpu`, which every run needs, they are not known. */
function classesOf({ runs }: Pick<Archive, 'runs'>, runId: RunId): Map<string, string[]> {
  const { tasks = {}, proposals } = runs.resources(runId);
  const classes = new Map<string, string[]>([[CPU_CLASS, []]]);
  const add = (resourceClass: string, what: string) =>
    classes.set(resourceClass, [...(classes.get(resourceClass) ?? []), what]);
  for (const [task, resourceClass] of Object.entries(tasks)) add(resourceClass, task);
  if (proposals !== undefined) add(proposals, 'proposals');
  return classes;
}

/** What is asked for and by whom, and what there is. */
function unservedText(unserved: readonly [string, string[]][], working: readonly Supplier[]): string {
  if (working.length === 0) return 'No worker takes jobs now; all of its jobs wait until one does.';
  const onGpus = unserved.filter(([resourceClass]) => resourceClass !== CPU_CLASS);
  if (onGpus.length < unserved.length)
    return `No worker has a sandbox that the run may use: ${working.length} take jobs. All of its jobs wait until one has.`;
  const asked = onGpus.map(
    ([resourceClass, whose]) => `${classText(resourceClass)} for ${namesOf(whose)} (class ${resourceClass})`,
  );
  return `No worker can give ${asked.join(', nor ')}; ${suppliesText(working)}. These jobs wait until one can.`;
}

function suppliesText(working: readonly Supplier[]): string {
  const having = working.filter(({ gpus }) => gpus.length > 0);
  if (having.length === 0) return 'none has a GPU in service';
  const has = having.slice(0, 5).map(({ name, gpus }) => `worker ${name} has ${gpusText(gpus)}`);
  return [...has, ...(having.length > 5 ? [`and ${having.length - 5} more`] : [])].join('; ');
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
