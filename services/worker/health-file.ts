import { writeFile } from 'node:fs/promises';
import type { FleetClient } from './fleet.ts';

/** The same client, which writes the file anew whenever control has answered: one that grows old means that it does not. */
export function withHealthFile(fleet: FleetClient, file: string): FleetClient {
  const touched = async <T>(answer: T): Promise<T> => {
    // A file that cannot be written grows old as well, which is right.
    await writeFile(file, '').catch(() => undefined);
    return answer;
  };
  return {
    join: async (description) => touched(await fleet.join(description)),
    beat: async (name, heartbeat) => touched(await fleet.beat(name, heartbeat)),
    leave: (name, instance) => fleet.leave(name, instance),
  };
}
