import type { BudgetScope, JobId } from './schema.ts';

/** No record of that name: a wrong id, or a data directory that holds no archive. */
export class NotFound extends Error {
  override name = 'NotFound';
}

/** The job was handed to someone else, or is over: whoever holds this lease must stop and change nothing. */
export class StaleLease extends Error {
  override name = 'StaleLease';
  readonly jobId: JobId;
  constructor(jobId: JobId, epoch: number) {
    super(`The lease on ${jobId} with epoch ${epoch} has ended: stop this job, it was handed on or is over.`);
    this.jobId = jobId;
  }
}

/** A model call whose worst price no longer fits the budget of its run or job. Nothing was reserved. Amounts in micro-dollars. */
export class BudgetExceeded extends Error {
  override name = 'BudgetExceeded';
  readonly scope: BudgetScope;
  readonly limitUusd: number;
  readonly spentUusd: number;
  /** Held by other calls under way. */
  readonly reservedUusd: number;
  readonly askedUusd: number;
  /** Would not fit even when every other call under way gave its reserve back. */
  readonly final: boolean;
  constructor(
    scope: BudgetScope,
    amounts: { limitUusd: number; spentUusd: number; reservedUusd: number; askedUusd: number },
  ) {
    super(budgetMessage(scope, amounts));
    this.scope = scope;
    this.limitUusd = amounts.limitUusd;
    this.spentUusd = amounts.spentUusd;
    this.reservedUusd = amounts.reservedUusd;
    this.askedUusd = amounts.askedUusd;
    this.final = amounts.spentUusd + amounts.askedUusd > amounts.limitUusd;
  }
}

function budgetMessage(
  scope: BudgetScope,
  {
    limitUusd,
    spentUusd,
    reservedUusd,
    askedUusd,
  }: { limitUusd: number; spentUusd: number; reservedUusd: number; askedUusd: number },
): string {
  const held = `${dollars(spentUusd)} spent and ${dollars(reservedUusd)} held for calls under way`;
  return `The ${scope}'s budget of ${dollars(limitUusd)} cannot hold a call of up to ${dollars(askedUusd)}: ${held}.`;
}

function dollars(uusd: number): string {
  return `$${(uusd / 1e6).toFixed(6).replace(/0{1,4}$/, '')}`;
}

/** Another process owns the data directory. */
export class ArchiveLocked extends Error {
  override name = 'ArchiveLocked';
  readonly pid: number | null;
  readonly url: string | null;
  constructor(home: string, owner: { pid: number | null; url: string | null }) {
    const who = owner.pid === null ? 'another process' : `process ${owner.pid}`;
    const where = owner.url === null ? '' : ` (its service answers at ${owner.url})`;
    super(`${home} is in use by ${who}${where}: stop it first, or choose another data directory.`);
    this.pid = owner.pid;
    this.url = owner.url;
  }
}

/** The database is not one this version of Clade can use. The message says which it is and what to do. */
export class ArchiveVersion extends Error {
  override name = 'ArchiveVersion';
}

/** The data directory cannot be created, read or written. */
export class ArchiveUnwritable extends Error {
  override name = 'ArchiveUnwritable';
}

/** The disk has no room left. What was being written did not happen; everything before it is safe. */
export class DiskFull extends Error {
  override name = 'DiskFull';
}

/** The error to throw for one of the file system or of git: `DiskFull` when that is what it says, else itself. */
export function diskFullOr(error: unknown): unknown {
  const text = error instanceof Error ? `${'code' in error ? String(error.code) : ''} ${error.message}` : '';
  return /ENOSPC|EDQUOT|SQLITE_FULL|No space left on device|Disk quota exceeded/.test(text) ? diskFull(error) : error;
}

function diskFull(cause: unknown): DiskFull {
  return new DiskFull('The disk is full: make room in the data directory, then resume the run.', { cause });
}
