import type { Archive } from '#archive/archive.ts';
import type { Call, CallRole, JobId, RunId } from '#archive/schema.ts';

/** What the re-runs of jobs were served out of the ledger, counted over calls of one kind. */
export interface Served {
  /** Calls of epochs that died, paid and answered, which the next epoch came to make again. */
  again: number;
  /** Of those: served from the ledger. */
  served: number;
}

export interface Payments {
  byRole: Record<CallRole, Served>;
  all: Served;
  /** Requests that a job paid for more than once. No agent here asks the same twice by itself. */
  paidTwice: string[];
  /** Calls that were under way when the service died. */
  ambiguous: number;
  /** Jobs done in more than one epoch that had paid before. */
  rerunJobs: number;
  /** The first call of a re-run that was paid again, of each re-run that paid again. */
  differences: string[];
}

/** Reads from the ledger what became of the calls that were paid for by epochs that died. */
export function paymentsOf(archive: Archive, runId: RunId): Payments {
  const jobs = [...archive.trials.list(runId), ...archive.proposals.list(runId)].map(({ id }) => id);
  const payments: Payments = {
    byRole: { trial: none(), diagnosis: none(), selfEdit: none(), viability: none() },
    all: none(),
    ...{ paidTwice: [], ambiguous: 0, rerunJobs: 0, differences: [] },
  };
  for (const jobId of jobs) account(jobId, archive.ledger.calls(jobId), payments);
  return payments;
}

const none = (): Served => ({ again: 0, served: 0 });

function account(jobId: JobId, calls: readonly Call[], payments: Payments): void {
  payments.ambiguous += calls.filter(({ state }) => state === 'ambiguous').length;
  const paid = calls.filter(({ state, replayed }) => state === 'settled' && !replayed);
  const times = Map.groupBy(paid, ({ requestDigest }) => `${jobId} ${requestDigest}`);
  payments.paidTwice.push(...[...times].flatMap(([call, { length }]) => (length > 1 ? [call] : [])));
  const epochs = [...new Set(calls.map(({ epoch }) => epoch))];
  const reruns = epochs.filter((epoch) => paid.some((call) => call.epoch < epoch));
  if (reruns.length > 0) payments.rerunJobs += 1;
  for (const epoch of reruns) accountRerun(calls, epoch, payments);
}

/** A job's calls come one after the other: its n-th call is again the n-th that was paid for before. */
function accountRerun(calls: readonly Call[], epoch: number, payments: Payments): void {
  const before = calls.filter((call) => call.epoch < epoch && call.state === 'settled' && !call.replayed);
  const made = calls.filter((call) => call.epoch === epoch && call.state !== 'released').slice(0, before.length);
  for (const call of made) {
    for (const count of [payments.all, payments.byRole[call.role]]) {
      count.again += 1;
      count.served += call.replayed ? 1 : 0;
    }
  }
  const at = made.findIndex(({ replayed }) => !replayed);
  const different = made[at];
  if (different)
    payments.differences.push(
      `${different.jobId} epoch ${epoch}: call ${at + 1} of ${before.length}, ${different.role}`,
    );
}
