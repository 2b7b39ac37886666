import { UpstreamFailure } from './upstream-contract.ts';

/**
 * What a failed attempt means for the ledger. `unprocessed`: the provider surely did not do the work, so that the reserve
 * is given back, and trying again may help (`retry`). `unknown`: it may have, and may bill it, so that the whole reserve
 * counts as spent, and trying again is not ours to decide.
 */
export type Verdict = { kind: 'unprocessed'; retry: boolean; retryAfterMs: number | null } | { kind: 'unknown' };

/** Judges what an upstream threw. Whatever is not known to be harmless is `unknown`. */
export function classify(failure: unknown): Verdict {
  if (!(failure instanceof UpstreamFailure)) return { kind: 'unknown' };
  const { status, connected, retryAfterMs, error } = failure.facts;
  if (status === null) return connected ? { kind: 'unknown' } : { kind: 'unprocessed', retry: true, retryAfterMs };
  // Out of credit comes with the status of a rate limit, and waiting does not help.
  if (status === 429) return { kind: 'unprocessed', retry: error?.code !== 'insufficient_quota', retryAfterMs };
  // 529 is what some say instead of 503; both are said at the door.
  if (status === 503 || status === 529) return { kind: 'unprocessed', retry: true, retryAfterMs };
  // 408: the provider gave up on a request it had begun to read.
  if (status >= 300 && status < 500 && status !== 408) return { kind: 'unprocessed', retry: false, retryAfterMs };
  return { kind: 'unknown' };
}

export interface RetryPolicy {
  /** Attempts in all, of a call that surely was not processed. */
  attempts: number;
  /** Wait before the second attempt; doubles from there up to `maxMs`. A longer wait that the provider asks for is kept. */
  firstMs: number;
  maxMs: number;
  /** A provider that asks for a longer wait than this is not waited for. */
  maxRetryAfterMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 6, firstMs: 500, maxMs: 16_000, maxRetryAfterMs: 90_000 };

/**
 * Milliseconds to wait after failed attempt number `attempt` (from 1), or null when there is to be none.
 * @param random uniform in [0, 1): spreads callers that were refused together over up to a quarter more.
 */
export function retryDelayMs(verdict: Verdict, attempt: number, policy: RetryPolicy, random: number): number | null {
  if (verdict.kind === 'unknown' || !verdict.retry || attempt >= policy.attempts) return null;
  const asked = verdict.retryAfterMs ?? 0;
  if (asked > policy.maxRetryAfterMs) return null;
  const backoff = Math.min(policy.firstMs * 2 ** (attempt - 1), policy.maxMs);
  return Math.max(asked, backoff) * (1 + random / 4);
}
