import { statfs } from 'node:fs/promises';
import type { Archive } from '#archive/archive.ts';
import type { RunFigure } from '#archive/figures.ts';
import { RunState } from '#archive/schema.ts';
import type { Instruments } from './instruments.ts';

const UUSD = 1_000_000;

/** Sets what the archive says at this moment. */
export async function readArchive(to: Instruments, { figures, home }: Pick<Archive, 'figures' | 'home'>) {
  readRuns(to, figures.runs());
  to.jobs.reset();
  to.workerJobs.reset();
  for (const { state, resourceClass, worker, jobs } of figures.openJobs()) {
    to.jobs.inc({ state, class: resourceClass }, jobs);
    if (worker !== null) to.workerJobs.inc({ worker }, jobs);
  }
  readSpend(to, figures.spend());
  await readDisk(to, home);
}

function readRuns(to: Instruments, runs: readonly RunFigure[]): void {
  const { runAgents, runTrialsSettled, runSpent, runReserved, runBudget } = to;
  for (const each of [runAgents, runTrialsSettled, runSpent, runReserved, runBudget]) each.reset();
  for (const state of RunState.options) to.runs.set({ state }, 0);
  for (const run of runs) {
    to.runs.inc({ state: run.state });
    if (!isUnfinished(run)) continue;
    const label = { run: run.id };
    runAgents.set(label, run.agents);
    runTrialsSettled.set(label, run.trialsSettled);
    runSpent.set(label, run.spentUusd / UUSD);
    runReserved.set(label, run.reservedUusd / UUSD);
    if (run.budgetUusd !== null) runBudget.set(label, run.budgetUusd / UUSD);
  }
}

/** Of runs that are over there may be any number, and a series for each would be kept. */
function isUnfinished({ state }: RunFigure): boolean {
  return state !== 'finished' && state !== 'stopped' && state !== 'failed';
}

function readSpend(to: Instruments, spend: ReturnType<Archive['figures']['spend']>): void {
  for (const each of [to.spend, to.spendAmbiguous, to.tokens]) each.reset();
  for (const { role, model, spentUusd, ambiguousUusd, inputTokens, outputTokens } of spend) {
    to.spend.inc({ role, model }, spentUusd / UUSD);
    to.spendAmbiguous.inc({ role, model }, ambiguousUusd / UUSD);
    to.tokens.inc({ role, model, direction: 'input' }, inputTokens);
    to.tokens.inc({ role, model, direction: 'output' }, outputTokens);
  }
}

/** A file system that does not say leaves its figures out. */
async function readDisk(to: Instruments, home: string): Promise<void> {
  const found = await statfs(home).catch(() => null);
  if (found === null) return;
  to.diskFree.set(found.bavail * found.bsize);
  to.diskSize.set(found.blocks * found.bsize);
}
