import fc from 'fast-check';
import { expect, it } from 'vitest';
import { scoreOf, scoreText } from '#services/score.ts';

it('intervals are those of Wilson, as published', () => {
  // Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I.
  for (const [s, n, low, high] of [
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ] as const) {
    expect(scoreOf(s, n).low).toBeCloseTo(low, 4);
    expect(scoreOf(s, n).high).toBeCloseTo(high, 4);
  }
});

it('an interval holds its mean, lies within 0 and 1, and narrows with n', () => {
  const sums = fc.integer({ min: 1, max: 1000 }).chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));
  fc.assert(
    fc.property(sums, ([s, n]) => {
      const { mean, low, high } = scoreOf(s, n);
      expect(low).toBeGreaterThanOrEqual(0);
      expect(high).toBeLessThanOrEqual(1);
      expect(low).toBeLessThanOrEqual(mean! + 1e-12);
      expect(high).toBeGreaterThanOrEqual(mean! - 1e-12);
      const wider = scoreOf(s * 4, n * 4);
      expect(wider.high - wider.low).toBeLessThan(high - low);
    }),
  );
});

it('without a trial there is no mean, and anything is possible', () => {
  expect(scoreOf(0, 0)).toEqual({ mean: null, n: 0, low: 0, high: 1 });
  expect(scoreText(scoreOf(0, 0))).toBe('- n=0');
  expect(scoreText(scoreOf(15, 20))).toBe('0.75 [0.53, 0.89] n=20');
});
