import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** The namespaces of a sandbox. Held open, they cannot become those of another process that gets the same process id. */
export interface Namespaces extends Disposable {
  files: readonly number[];
  /** For `nsenter`, when it is given `files` as its 3 and up. */
  flags: readonly string[];
  /** The processes that live in it, by their ids on the host. */
  processes(): number[];
}

/** @param kinds as `/proc/PID/ns` has them. @throws when the process has ended. */
export function openNamespaces(
  pid: number,
  kinds: readonly ('user' | 'mnt' | 'uts' | 'ipc' | 'net' | 'pid')[],
): Namespaces {
  const files = kinds.map((kind) => openSync(`/proc/${pid}/ns/${kind}`, 'r'));
  const pidNamespace = readlinkSync(`/proc/${pid}/ns/pid`);
  return {
    files,
    flags: kinds.map((kind, at) => `--${kind === 'mnt' ? 'mount' : kind}=/proc/self/fd/${at + 3}`),
    processes: () =>
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name) && isIn(name, pidNamespace))
        .map(Number),
    [Symbol.dispose]: () => {
      for (const file of files.splice(0)) closeSync(file);
    },
  };
}

function isIn(pid: string, pidNamespace: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/ns/pid`) !== pidNamespace) return false;
    return !/^State:\s*[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** Whether a process was stopped by a signal, and does nothing until another one wakes it. */
export function isStopped(pid: number): boolean {
  try {
    return /^State:\s*T/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}
