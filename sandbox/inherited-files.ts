import { closeSync, readdirSync, readFileSync } from 'node:fs';

const CLOSE_ON_EXEC = 0o2000000;
let isDone = false;

/**
 * Closes, the first time, what whoever started this process left open for it besides stdin, stdout and stderr: every program
 * that is started here would get it as well, and with a directory all that is below it, through any wall. Node itself opens
 * nothing that is passed on, a channel to its parent included, so what is comes from there. Only Linux tells (/proc).
 */
export function closeInherited(): void {
  if (isDone) return;
  isDone = true;
  for (const file of openFiles()) if (file > 2 && isPassedOn(file)) closeSync(file);
}

function openFiles(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

function isPassedOn(file: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${file}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    // It was open only to list the others.
    return false;
  }
}
