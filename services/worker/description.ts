import { availableParallelism, totalmem } from 'node:os';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { PROTOCOL, type WorkerDescription } from './fleet.ts';

type Own = Pick<WorkerDescription, 'name' | 'instance' | 'version' | 'slots' | 'labels' | 'gpus' | 'gpuShare'>;

/** What a worker says of itself: what it was told, and what its machine has. */
export async function describeWorker(
  own: Own,
  drivers: Readonly<Record<DriverName, SandboxDriver>>,
): Promise<WorkerDescription> {
  const diagnoses = await Promise.all(Object.values(drivers).map((driver) => driver.diagnose()));
  const hasDocker = diagnoses.some(({ driver, available }) => driver === 'docker' && available);
  const images = hasDocker ? await countImages(drivers.docker) : null;
  return {
    ...own,
    ...thisMachine(),
    ...{ protocol: PROTOCOL, images },
    drivers: diagnoses.map(({ driver, available, detail }) => ({ name: driver, available, detail })),
  };
}

export function thisMachine(): Pick<WorkerDescription, 'cpus' | 'memoryMiB'> {
  return { cpus: availableParallelism(), memoryMiB: memoryMiB() };
}

async function countImages({ images }: SandboxDriver): Promise<number | null> {
  const found = await images?.list().catch(() => null);
  return found?.length ?? null;
}

/** The machine's, or less where this process may have less. */
function memoryMiB(): number {
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor(Math.min(totalmem(), constrained) / 2 ** 20));
}
