/** A process that computes on a GPU. Null: the driver does not say. */
export interface GpuProcess {
  pid: number;
  name: string;
  memoryMiB: number | null;
}

/** What is on a GPU at one moment. */
export interface GpuLook {
  memoryUsedMiB: number | null;
  processes: GpuProcess[];
}

/** Memory in use that the driver itself takes and gives back as it likes. */
const NOISE_MIB = 256;

/**
 * What jobs have left behind on a GPU: processes, and memory in use, that were not there before; null when it is clean.
 * What was there before is somebody else's. Without knowing what was there, nothing is held against the jobs.
 * @param after null when the GPU is no longer listed.
 */
export function leftovers(before: GpuLook | null, after: GpuLook | null): string | null {
  if (after === null) return 'nvidia-smi does not list it any more';
  if (before === null) return null;
  const known = new Set(before.processes.map(({ pid }) => pid));
  const left = after.processes.filter(({ pid }) => !known.has(pid));
  if (left.length > 0) return `left behind: ${left.map(processText).join(', ')}`;
  const grownMiB = (after.memoryUsedMiB ?? 0) - (before.memoryUsedMiB ?? 0);
  const isKnown = after.memoryUsedMiB !== null && before.memoryUsedMiB !== null;
  return isKnown && grownMiB > NOISE_MIB ? `left behind: ${grownMiB} MiB in use that were free before` : null;
}

function processText({ pid, name, memoryMiB }: GpuProcess): string {
  return `process ${pid} (${name}${memoryMiB === null ? '' : `, ${memoryMiB} MiB`})`;
}
