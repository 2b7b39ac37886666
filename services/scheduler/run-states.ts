import type { RunState } from '#archive/schema.ts';

/** Whether the run has ended for good. */
export function isOver(state: RunState): boolean {
  return state === 'finished' || state === 'stopped' || state === 'failed';
}

/** Whether the run's jobs are handed out: while it is running, and while it closes. Its jobs wait in any other state. */
export function handsOutJobs(state: RunState): boolean {
  return state === 'running' || state === 'closing';
}
