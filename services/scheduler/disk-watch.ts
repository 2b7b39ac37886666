import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Given back when the disk is full: enough to write down what is under way, and that the runs pause. */
const RESERVE_MIB = 8;
const MIB = 2 ** 20;

/** Says whether the data directory still has room to go on. */
export interface DiskWatch {
  /**
   * Null while there is room, else the reason why not, with figures. Keeps a file of some MiB in the data directory while
   * there is room, and removes it when there is none, so that what must still be written can be. Never throws.
   */
  full(): string | null;
}

/** @param minFreeMiB Below this much free space nothing new is begun. */
export function createDiskWatch(home: string, minFreeMiB: number): DiskWatch {
  const reserve = join(home, 'reserve');
  return {
    full() {
      const freeMiB = freeMiBOf(home);
      const held = existsSync(reserve);
      if (freeMiB === null || freeMiB + (held ? 0 : -RESERVE_MIB) >= minFreeMiB) {
        if (!held) quietly(() => writeFileSync(reserve, new Uint8Array(RESERVE_MIB * MIB)));
        return null;
      }
      if (held) quietly(() => rmSync(reserve));
      return `disk full: ${freeMiB} MiB free in ${home}, needs ${minFreeMiB} MiB; goes on by itself once there is room`;
    },
  };
}

function freeMiBOf(directory: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return Math.floor((bavail * bsize) / MIB);
  } catch {
    return null;
  }
}

/** A reserve that cannot be made or removed is no reason to stop: the next look tries again. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // As above.
  }
}
