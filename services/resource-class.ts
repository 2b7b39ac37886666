import type { GpuResources } from '#benchmarks/schema.ts';

/** What jobs need that want no GPU: any worker has it. */
export const CPU_CLASS = 'cpu';

/** A GPU as far as it matters for who can use it. */
export interface GpuSize {
  /** As the driver names it, such as `NVIDIA H100 80GB HBM3`. */
  model: string;
  memoryMiB: number;
}

/** What a class of jobs asks of a worker's GPUs. */
export interface GpuNeed {
  /** GPUs of one job. */
  gpus: number;
  /** What each of them must have; 0: any will do. */
  memoryGiB: number;
  /** Any of these models, in words of small letters and digits; none: any model. */
  models: readonly string[];
}

/**
 * The name of what a task's sandboxes need: `cpu`, `gpu-1`, `gpu-1x24` (one GPU of 24 GiB), `gpu-2x80-h100`,
 * `gpu-1-a100+h100` (any of two models). The same needs have the same name.
 */
export function resourceClassOf({ gpus, gpuMemoryGiB, gpuModel }: GpuResources): string {
  if (gpus === 0) return CPU_CLASS;
  const models = [...new Set((gpuModel ?? '').split(',').map(slugOf))].filter((slug) => slug !== '').sort();
  const memory = gpuMemoryGiB === undefined ? '' : `x${gpuMemoryGiB}`;
  return `gpu-${gpus}${memory}${models.length === 0 ? '' : `-${models.join('+')}`}`;
}

/** What a class asks for; null for `cpu`. @throws RangeError for a name that `resourceClassOf` does not give. */
export function gpuNeedOf(resourceClass: string): GpuNeed | null {
  if (resourceClass === CPU_CLASS) return null;
  const [, gpus, memory = '0', models = ''] = /^gpu-([1-9]\d*)(?:x([1-9]\d*))?(?:-(.+))?$/.exec(resourceClass) ?? [];
  if (gpus === undefined) throw new RangeError(`${JSON.stringify(resourceClass)} is no class of jobs`);
  return { gpus: Number(gpus), memoryGiB: Number(memory), models: models === '' ? [] : models.split('+') };
}

/**
 * Whether a GPU is what a job asks for. Of one that `share` sandboxes use at a time each can count on its part of the memory.
 * Makers' sizes are taken for what they are: a GPU sold with 24 GB has 22.5 to 24 GiB.
 */
export function fits(need: GpuNeed, { model, memoryMiB }: GpuSize, share = 1): boolean {
  const hasMemory = memoryMiB / share >= need.memoryGiB * 1024 * LEAST_OF_NOMINAL;
  return hasMemory && (need.models.length === 0 || need.models.some((wanted) => isModel(wanted, model)));
}

/** Error correction and the driver keep up to 7 % back, and a decimal gigabyte is 7 % smaller than a GiB. */
const LEAST_OF_NOMINAL = 0.92;

/**
 * How many jobs of a class can be done at once with these GPUs: each job has as many different ones as it asks for, and each
 * GPU serves at most `share` jobs. 0: none, ever. Infinity for `cpu`.
 */
export function jobsAtOnce(resourceClass: string, gpus: readonly GpuSize[], share = 1): number {
  const need = gpuNeedOf(resourceClass);
  if (need === null) return Number.POSITIVE_INFINITY;
  const fitting = gpus.filter((gpu) => fits(need, gpu, share)).length;
  return fitting < need.gpus ? 0 : Math.floor((fitting * share) / need.gpus);
}

/** A class in words for people: `2 GPUs of 80 GiB (h100)`. */
export function classText(resourceClass: string): string {
  const need = gpuNeedOf(resourceClass);
  if (need === null) return 'no GPU';
  const { gpus, memoryGiB, models } = need;
  const memory = memoryGiB === 0 ? '' : ` of ${memoryGiB} GiB`;
  return `${gpus} GPU${gpus === 1 ? '' : 's'}${memory}${models.length === 0 ? '' : ` (${models.join(' or ')})`}`;
}

/** GPUs in words for people: `2 × NVIDIA H100 80GB HBM3 (79.6 GiB)`; `none`. */
export function gpusText(gpus: readonly GpuSize[]): string {
  const kinds = Map.groupBy(gpus, ({ model, memoryMiB }) => `${model} (${(memoryMiB / 1024).toFixed(1)} GiB)`);
  if (kinds.size === 0) return 'none';
  return [...kinds].map(([kind, some]) => `${some.length} × ${kind}`).join(', ');
}

/** `NVIDIA RTX 4090` becomes `nvidia-rtx-4090`. */
function slugOf(model: string): string {
  return (model.toLowerCase().match(/[a-z0-9]+/g) ?? []).join('-');
}

/** Whether some words of the model, in a row, read as the wanted one: `h100`, `a100-sxm4`, `rtx4090`; `l4` is no `l40s`. */
function isModel(wanted: string, model: string): boolean {
  const joined = wanted.replaceAll('-', '');
  const words = slugOf(model).split('-');
  return words.some((_, from) =>
    words.slice(from).some((_word, at) => words.slice(from, from + at + 1).join('') === joined),
  );
}
