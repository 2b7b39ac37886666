import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Given back when the disk is full: enough to write down what is under way, and that the runs pause. */
const RESERVE_MIB = 8;
/** A trial leaves a handful of files behind. */
const MIN_FREE_FILES = 1_000;
/** After a write was refused there is room again when so many files of 1 MiB can be written: more than the reserve takes. */
const PROBE_FILES = 2 * RESERVE_MIB;
const MIB = 2 ** 20;

/** How every reason begins that `full` gives. */
export const DISK_FULL = 'disk full';

/** Says whether the data directory still has room to go on. */
export interface DiskWatch {
  /**
   * Null while there is room, else the reason why not, with figures. Keeps a file of some MiB in the data directory while
   * there is room, and removes it when there is none, so that what must still be written can be. Never throws.
   */
  full(): string | null;
  /** A write was refused for want of room, whatever the figures say: a quota may be. The disk is full until a trial of it succeeds. */
  refused(): void;
}

/** @param minFreeMiB Below this much free space nothing new is begun. */
export function createDiskWatch(home: string, minFreeMiB: number): DiskWatch {
  const reserve = join(home, 'reserve');
  let wasRefused = false;
  const lack = () => {
    const held = existsSync(reserve);
    const short = shortage(home, minFreeMiB, held);
    if (short === null && wasRefused) {
      if (held) quietly(() => rmSync(reserve));
      wasRefused = !takesProbe(join(home, 'probe'));
    }
    return short ?? (wasRefused ? `a write to ${home} was refused` : null);
  };
  return {
    full() {
      const why = lack();
      const held = existsSync(reserve);
      if (why === null && !held) quietly(() => writeFileSync(reserve, new Uint8Array(RESERVE_MIB * MIB)));
      if (why !== null && held) quietly(() => rmSync(reserve));
      return why === null ? null : `${DISK_FULL}: ${why}; goes on by itself once there is room`;
    },
    refused() {
      wasRefused = true;
    },
  };
}

/** What the file system's own figures say is lacking, or null. A file system that does not count files gives 0 for them. */
function shortage(home: string, minFreeMiB: number, reserveHeld: boolean): string | null {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(home);
    const freeMiB = Math.floor((bavail * bsize) / MIB);
    const neededMiB = minFreeMiB + (reserveHeld ? 0 : RESERVE_MIB);
    if (freeMiB < neededMiB) return `${freeMiB} MiB free in ${home}, needs ${neededMiB} MiB`;
    if (files > 0 && ffree < MIN_FREE_FILES)
      return `room for ${ffree} more files in ${home}, needs it for ${MIN_FREE_FILES}`;
    return null;
  } catch {
    return null;
  }
}

function takesProbe(folder: string): boolean {
  const piece = new Uint8Array(MIB);
  try {
    mkdirSync(folder, { recursive: true });
    for (let n = 1; n <= PROBE_FILES; n += 1) writeFileSync(join(folder, String(n)), piece);
    return true;
  } catch {
    return false;
  } finally {
    quietly(() => rmSync(folder, { recursive: true, force: true }));
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
