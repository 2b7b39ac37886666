import { hostname } from 'node:os';
import { isAlive, thisBootId } from '#archive/process-life.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { SandboxLabels } from '#sandbox/schema.ts';

/** Labels for sandboxes of one-off work of this process, by which `reapDead` knows them. @param kind one word. */
export function ownLabels(kind: string, job: string): SandboxLabels {
  return { owner: ownerOf(kind), run: thisProcess(), job, epoch: 1 };
}

/** Removes what processes of this machine left behind that did work of that kind and are gone. @throws what the driver throws. */
export async function reapDead(kind: string, driver: SandboxDriver): Promise<void> {
  await driver.reap(ownerOf(kind), ({ run }) => isRunning(run));
}

/** An engine may serve several machines. */
const ownerOf = (kind: string): string => `${kind}@${hostname()}`;

/** Stands for this process, also after a restart of the machine, when another one may have its number. */
const thisProcess = (): string => `${process.pid}@${thisBootId()}`;

function isRunning(run: string): boolean {
  const [pid, boot] = run.split('@');
  return boot === thisBootId() && isAlive(Number(pid));
}
