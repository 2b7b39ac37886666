import { describe, expect, it } from 'vitest';
import { classify, DEFAULT_RETRY, retryDelayMs } from '#services/gateway/classify.ts';
import { type FailureFacts, UpstreamFailure } from '#services/gateway/upstream-contract.ts';

const failure = (facts: Partial<FailureFacts>) =>
  new UpstreamFailure('failed', { status: null, connected: true, retryAfterMs: null, error: null, ...facts });
const limited = (retryAfterMs: number | null) => classify(failure({ status: 429, retryAfterMs }));

describe('a failed call', () => {
  it.each([
    ['when no connection came about', { connected: false }, { kind: 'unprocessed', retry: true }],
    ['when it was refused for now', { status: 429 }, { kind: 'unprocessed', retry: true }],
    ['when the provider is overloaded', { status: 503 }, { kind: 'unprocessed', retry: true }],
    ['when it was refused', { status: 400 }, { kind: 'unprocessed', retry: false }],
    ['when it was redirected', { status: 307 }, { kind: 'unprocessed', retry: false }],
    ['when the provider gave up reading it', { status: 408 }, { kind: 'unknown' }],
    ['when the provider failed', { status: 500 }, { kind: 'unknown' }],
    ['when the connection broke', { status: null }, { kind: 'unknown' }],
  ] as const)('%s is judged on the safe side', (_when, facts, verdict) => {
    expect(classify(failure(facts))).toMatchObject(verdict);
  });

  it('of any other kind may have cost something', () => {
    expect(classify(new TypeError('terminated'))).toEqual({ kind: 'unknown' });
  });

  it('is tried again after waits that double, up to a bound', () => {
    const waits = [1, 2, 3, 4, 5, 6].map((attempt) => retryDelayMs(limited(null), attempt, DEFAULT_RETRY, 0));
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, null]);
    expect(retryDelayMs(limited(null), 1, DEFAULT_RETRY, 0.999)).toBeLessThanOrEqual(625);
  });

  it('is not tried again sooner than the provider asked, nor at all when that is too long', () => {
    expect(retryDelayMs(limited(30_000), 1, DEFAULT_RETRY, 0)).toBe(30_000);
    expect(retryDelayMs(limited(3_600_000), 1, DEFAULT_RETRY, 0)).toBeNull();
  });
});
