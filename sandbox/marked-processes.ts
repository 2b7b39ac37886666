import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** How one sandbox's processes are told from all others. */
export interface Marking {
  /** `NAME=value`, which was in the environment they were started with. */
  mark: string;
  /** Where they work. */
  directory: string;
}

const PATIENCE_MS = 5000;

/**
 * Kills every process that bears the mark, works in the directory, or descends from one that does, until none is left.
 * Sessions, process groups and double forks do not matter. Only Linux has what this needs (/proc).
 */
export async function killMarked(marking: Marking): Promise<void> {
  const giveUpMs = Date.now() + PATIENCE_MS;
  // One that is just becoming another program may show no environment for a moment, so one look is not enough.
  for (let quietLooks = 0; quietLooks < 2 && Date.now() < giveUpMs; await delay(2)) {
    const found = stopMarked(marking, giveUpMs);
    for (const pid of found) signal(pid, 'SIGKILL');
    quietLooks = found.length === 0 ? quietLooks + 1 : 0;
  }
}

/**
 * Stops them all before any is killed: were a parent killed while it starts a child that sheds mark and directory, nothing
 * would tell that the child is ours.
 */
function stopMarked(marking: Marking, giveUpMs: number): number[] {
  const stopped = new Set<number>();
  for (;;) {
    const found = markedProcesses(marking);
    const running = found.filter((pid) => !stopped.has(pid));
    if (running.length === 0 || Date.now() > giveUpMs) return found;
    for (const pid of running) {
      signal(pid, 'SIGSTOP');
      stopped.add(pid);
    }
  }
}

/** The ids of the living ones; of the dead ones that nobody has waited for yet there is nothing left to end. */
export function markedProcesses(marking: Marking): number[] {
  const parents = new Map<number, number>();
  const marked = new Set<number>();
  for (const name of listProcesses()) {
    const pid = Number(name);
    const parent = parentOf(pid);
    if (parent === undefined || pid === process.pid) continue;
    parents.set(pid, parent);
    if (bears(pid, marking)) marked.add(pid);
  }
  return [...parents.keys()].filter((pid) => descends(pid, parents, marked));
}

function listProcesses(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Undefined for a process that has ended, waited for or not. */
function parentOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The name before it stands in parentheses and may hold anything, parentheses too.
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return parent === undefined || state === 'Z' || state === 'X' ? undefined : Number(parent);
}

function bears(pid: number, { mark, directory }: Marking): boolean {
  if (`\0${read(`/proc/${pid}/environ`)}`.includes(`\0${mark}\0`)) return true;
  const cwd = workingDirectory(pid);
  return cwd === directory || cwd.startsWith(`${directory}/`);
}

function descends(pid: number, parents: ReadonlyMap<number, number>, marked: ReadonlySet<number>): boolean {
  for (let at: number | undefined = pid; at !== undefined; at = parents.get(at)) if (marked.has(at)) return true;
  return false;
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
