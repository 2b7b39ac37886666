import { inject } from 'vitest';
import { createDrivers } from '#sandbox/drivers.ts';
import type { Diagnosis, SandboxDriver } from '#sandbox/sandbox.ts';

export interface ProvidedDriver {
  driver: SandboxDriver;
  diagnosis: Diagnosis;
  /** Why its tests are skipped: what could not be provided here. Null when they run. */
  missing: string | null;
}

/**
 * Every driver, with what it says of this machine.
 * @throws Error when one does not work though all that it needs was provided: that is a fault, no reason to skip its tests.
 */
export async function everyDriver(): Promise<ProvidedDriver[]> {
  const { docker, bubblewrap, process } = createDrivers();
  return await Promise.all([
    withDiagnosis(docker, inject('docker')),
    withDiagnosis(bubblewrap, inject('bubblewrap')),
    withDiagnosis(process, { available: true, reason: '' }),
  ]);
}

/** Those whose tests run. */
export async function workingDrivers(): Promise<SandboxDriver[]> {
  return (await everyDriver()).filter(({ missing }) => missing === null).map(({ driver }) => driver);
}

async function withDiagnosis(
  driver: SandboxDriver,
  { available, reason }: { available: boolean; reason: string },
): Promise<ProvidedDriver> {
  const diagnosis = await driver.diagnose();
  if (available && !diagnosis.available) throw new Error(`${driver.name} was provided and fails: ${diagnosis.detail}`);
  return { driver, diagnosis, missing: available ? null : reason };
}
