import { createBubblewrap } from '#sandbox/bubblewrap.ts';
import type { Provision } from './docker.ts';
import { providePrograms } from './packages.ts';

/** Makes sure that `bwrap` is installed, where that can be done, and says whether it works. */
export async function provideBubblewrap(): Promise<Provision> {
  try {
    await providePrograms(['bwrap', 'git']);
    const { available, detail, remedy } = await createBubblewrap().diagnose();
    return { available, reason: available ? '' : `${detail}${remedy === undefined ? '' : ` (${remedy})`}` };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
