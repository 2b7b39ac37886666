import type { Gpu } from './fleet.ts';
import type { GpuLook, GpuProcess } from './gpus-leftovers.ts';

/** What `--query-gpu` is asked for, in this order. Drivers from before 2020 do not know the last. */
export const LISTED_FIELDS = ['index', 'uuid', 'name', 'memory.total', 'driver_version', 'mig.mode.current'];
export const MEMORY_FIELDS = ['uuid', 'memory.used'];
/** What `--query-compute-apps` is asked for. Only the third may hold commas. */
export const PROCESS_FIELDS = ['gpu_uuid', 'pid', 'process_name', 'used_gpu_memory'];

/** A GPU that was found: one that can be leased, or why it cannot be. */
export type ListedGpu = { index: number; uuid: string } & ({ gpu: Gpu } | { reason: string });

/**
 * The GPUs in what `nvidia-smi --query-gpu=... --format=csv,noheader,nounits` printed. Lines that speak of none, such as the
 * warnings that it mixes in, are passed over.
 */
export function readListing(text: string): ListedGpu[] {
  return linesOf(text).flatMap((fields): ListedGpu[] => {
    const [index, uuid = '', model = '', memory, driver = '', mig = ''] = fields;
    if (!isUuid(uuid)) return [];
    const at = { index: Number(index), uuid };
    const memoryMiB = numberOf(memory);
    if (mig === 'Enabled')
      return [{ ...at, reason: 'it is cut into MIG slices, which are not leased: nvidia-smi -mig 0 makes it whole' }];
    if (memoryMiB === null) return [{ ...at, reason: `nvidia-smi does not say how much memory it has (${memory})` }];
    const gpu = { uuid, model: known(model) ?? 'unknown', memoryMiB, driver: known(driver) ?? 'unknown' };
    return [{ ...at, gpu }];
  });
}

/** What is on each GPU, from the answers to both queries, by uuid. */
export function readLooks(memory: string, processes: string): Map<string, GpuLook> {
  const looks = new Map<string, GpuLook>();
  for (const [uuid = '', used] of linesOf(memory))
    if (isUuid(uuid)) looks.set(uuid, { memoryUsedMiB: numberOf(used), processes: [] });
  for (const fields of linesOf(processes)) {
    const process = processOf(fields);
    if (process !== null) looks.get(fields[0] ?? '')?.processes.push(process);
  }
  return looks;
}

function processOf(fields: readonly string[]): GpuProcess | null {
  const pid = numberOf(fields[1]);
  if (pid === null || fields.length < PROCESS_FIELDS.length) return null;
  const name = known(fields.slice(2, -1).join(', ')) ?? 'unknown';
  return { pid, name, memoryMiB: numberOf(fields.at(-1)) };
}

function linesOf(text: string): string[][] {
  return text.split('\n').map((line) => line.split(',').map((field) => field.trim()));
}

const isUuid = (text: string): boolean => /^GPU-[\w-]+$/.test(text);

/** A whole number, also with a unit after it; null for `[N/A]`, `[Not Supported]`, `ERR!` and the like. */
function numberOf(field: string | undefined): number | null {
  const [, digits] = /^(\d+)(?: MiB)?$/.exec(field ?? '') ?? [];
  return digits === undefined ? null : Number(digits);
}

const known = (field: string): string | null => (field === '' || /^\[.*\]$|^ERR!$/.test(field) ? null : field);
