import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Limits } from './schema.ts';

/** A group of processes whose use of memory, processes and processors the kernel limits together. */
export interface Cgroup {
  /** A process is in the group once its id is written to each of these. */
  joinFiles: readonly string[];
  /** Works once all its processes have ended. Never throws. */
  remove(): Promise<void>;
}

/** Where groups can be made here. Several directories under cgroup v1, one for each kind of limit; one under v2. */
export interface CgroupPlace {
  directories: readonly string[];
  settings(limits: Limits): Record<string, string>[];
}

const ROOT = '/sys/fs/cgroup';
const MIB = 1024 * 1024;
const PERIOD_US = 100_000;

/** Where this process may make groups with all three limits, tried out; undefined where it may not. */
export async function findCgroupPlace(): Promise<CgroupPlace | undefined> {
  const own = await ownGroups();
  const v1: CgroupPlace = {
    directories: ['memory', 'pids', 'cpu'].map((kind) => v1Directory(kind, own)),
    settings: v1Settings,
  };
  const v2 = [path.dirname(own.get('') ?? '/'), '/'].map((at) => ({
    directories: [path.join(ROOT, at)],
    settings: v2Settings,
  }));
  for (const place of [...v2, v1]) if (await works(place)) return place;
  return undefined;
}

/** @param name of the new group; unique. @throws when the group cannot be made, after undoing what was made of it. */
export async function createCgroup(place: CgroupPlace, name: string, limits: Limits): Promise<Cgroup> {
  const directories = place.directories.map((directory) => path.join(directory, name));
  const settings = place.settings(limits);
  try {
    for (const [at, directory] of directories.entries()) {
      await mkdir(directory);
      for (const [file, value] of Object.entries(settings[at] ?? {})) {
        // Existing ones only: where this is no cgroup file system, there are none.
        await writeFile(path.join(directory, file), value, { flag: 'r+' });
      }
    }
  } catch (error) {
    await removeGroups(directories);
    throw error;
  }
  return {
    joinFiles: directories.map((directory) => path.join(directory, 'cgroup.procs')),
    remove: async () => void (await removeGroups(directories)),
  };
}

/** Kills what is in those of the groups, and removes them; gives their names. The dying are waited for a little. */
export async function endCgroups(place: CgroupPlace, isMeant: (name: string) => boolean): Promise<string[]> {
  const left = new Set<string>();
  for (const directory of place.directories) {
    for (const name of await readdir(directory).catch(() => [])) if (isMeant(name)) left.add(name);
  }
  const removed: string[] = [];
  for (const name of left) {
    const directories = place.directories.map((directory) => path.join(directory, name));
    for (const directory of directories) await killAllIn(directory);
    if (await removeGroups(directories)) removed.push(name);
  }
  return removed;
}

async function killAllIn(group: string): Promise<void> {
  const ids = await readFile(path.join(group, 'cgroup.procs'), 'utf8').catch(() => '');
  for (const id of ids.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(id), 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
}

/** The groups this process is in, by the kind of limit; under cgroup v2 the kind is empty. */
async function ownGroups(): Promise<Map<string, string>> {
  const text = await readFile('/proc/self/cgroup', 'utf8').catch(() => '');
  const groups = new Map<string, string>();
  for (const line of text.trim().split('\n')) {
    const [, kinds = '', group = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const kind of kinds.split(',')) groups.set(kind, group);
  }
  return groups;
}

const v1Directory = (kind: string, own: ReadonlyMap<string, string>): string =>
  path.join(ROOT, kind, own.get(kind) ?? '/');

const v1Settings = ({ memoryMiB, pids, cpus }: Limits): Record<string, string>[] => [
  { 'memory.limit_in_bytes': String(memoryMiB * MIB) },
  { 'pids.max': String(pids) },
  { 'cpu.cfs_period_us': String(PERIOD_US), 'cpu.cfs_quota_us': String(Math.max(1000, Math.round(cpus * PERIOD_US))) },
];

const v2Settings = ({ memoryMiB, pids, cpus }: Limits): Record<string, string>[] => [
  {
    'memory.max': String(memoryMiB * MIB),
    'memory.swap.max': '0',
    'pids.max': String(pids),
    'cpu.max': `${Math.max(1000, Math.round(cpus * PERIOD_US))} ${PERIOD_US}`,
  },
];

/** Makes a group, puts a process into it, and removes it. */
async function works(place: CgroupPlace): Promise<boolean> {
  try {
    const limits = { memoryMiB: 64, pids: 16, cpus: 1, diskMiB: 1 };
    const group = await createCgroup(place, `clade-probe-${randomUUID()}`, limits);
    try {
      const [file = '', ...args] = joining(group, ['/bin/true']);
      await promisify(execFile)(file, args);
    } finally {
      await group.remove();
    }
    return true;
  } catch {
    return false;
  }
}

/** The command that joins a group and then becomes another one. */
export function joining(group: Cgroup | undefined, argv: readonly string[]): string[] {
  if (group === undefined) return [...argv];
  const joins = group.joinFiles.map((_, at) => `echo $$ > "$${at + 1}" && `).join('');
  return ['/bin/sh', '-c', `${joins}shift ${group.joinFiles.length} && exec "$@"`, 'sh', ...group.joinFiles, ...argv];
}

async function removeGroups(directories: readonly string[]): Promise<boolean> {
  // The kernel takes a moment to forget the last process.
  for (let tries = 0; tries < 100; tries++) {
    const removed = await Promise.all(directories.map(isRemoved));
    if (!removed.includes(false)) return true;
    await delay(10);
  }
  return false;
}

async function isRemoved(directory: string): Promise<boolean> {
  return await rmdir(directory).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'EBUSY',
  );
}
