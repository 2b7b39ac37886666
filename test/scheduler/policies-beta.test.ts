import { describe, expect, it } from 'vitest';
import { betaQuantile, drawBeta, drawGamma, reachesByBeta } from '#services/scheduler/policies/beta.ts';
import { decisionRng } from '#services/scheduler/rng.ts';
import { betaCdf, kolmogorovSmirnov, kolmogorovSmirnovLimit } from './policies-statistics.ts';

const percentages = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999];

describe('the quantile of a Beta distribution', () => {
  it('agrees with the closed forms', () => {
    for (const p of percentages) {
      for (const shape of [0.5, 1, 2, 3, 17, 60, 801]) {
        near(betaQuantile(p, shape, 1), p ** (1 / shape));
        near(betaQuantile(p, 1, shape), -Math.expm1(Math.log1p(-p) / shape));
      }
      near(betaQuantile(p, 0.5, 0.5), Math.sin((Math.PI * p) / 2) ** 2);
      near(betaQuantile(p, 2, 2), 0.5 - Math.sin(Math.asin(1 - 2 * p) / 3));
    }
  });

  /** Student's t, upper 2.5 %, as R's qt(0.975, df) prints it: df / (df + t^2) is the 5th percentile of Beta(df / 2, 1 / 2). */
  it.each([
    [1, 12.7062047361747],
    [2, 4.30265272974946],
    [5, 2.57058183563631],
    [10, 2.22813885198627],
    [30, 2.04227245630124],
  ])('agrees with published values of t with %i degrees of freedom', (df, t) => {
    near(betaQuantile(0.05, df / 2, 0.5), df / (df + t * t));
  });

  it('agrees with the exact distribution function of whole parameters', () => {
    const parameters = [
      [1, 1],
      [2, 5],
      [8, 3],
      [1, 17],
      [17, 1],
      [30, 31],
      [61, 2],
      [5, 200],
      [400, 402],
    ] as const;
    for (const [a, b] of parameters)
      for (const p of [0.01, 0.5, 0.99]) near(betaQuantile(p, a, b), exactQuantile(p, a, b));
  });
});

describe('a look whether a quantile of a Beta distribution lies below', () => {
  it('agrees with the quantile', () => {
    for (const p of [0.001, 0.01, 0.25, 0.5, 0.95]) {
      for (const a of [1, 1.5, 2, 9, 40.25, 700])
        for (const b of [1, 1.25, 3, 17, 66.6, 900]) {
          const quantile = betaQuantile(p, a, b);
          expect(reachesByBeta(p, quantile * (1 - 1e-6), a, b), `${p} ${a} ${b}`).toBe(false);
          expect(reachesByBeta(p, quantile + (1 - quantile) * 1e-6, a, b), `${p} ${a} ${b}`).toBe(true);
        }
    }
  });

  it('knows the ends', () => {
    expect([0, 1].map((x) => reachesByBeta(0.01, x, 2, 3))).toEqual([false, true]);
  });
});

describe('draws', () => {
  it.each([
    [1, 1],
    [1, 61],
    [3.5, 2],
    [400, 900],
    [1e5, 3e5],
    [0.5, 0.5],
    [0.05, 0.3],
    [0.2, 40],
  ])('from Beta(%d, %d) follow it', (a, b) => {
    const rng = decisionRng(7, 1);
    const sample = Array.from({ length: 200_000 }, () => drawBeta(a, b, rng));
    expect(sample.every((x) => x >= 0 && x <= 1)).toBe(true);
    expect(kolmogorovSmirnov(sample, (x) => betaCdf(x, a, b))).toBeLessThan(kolmogorovSmirnovLimit);
  });

  it('from Gamma(1) and Gamma(3) follow it', () => {
    const rng = decisionRng(8, 1);
    const draws = (shape: number) => Array.from({ length: 50_000 }, () => drawGamma(shape, rng));
    expect(kolmogorovSmirnov(draws(1), (x) => -Math.expm1(-x))).toBeLessThan(kolmogorovSmirnovLimit);
    expect(kolmogorovSmirnov(draws(3), (x) => 1 - Math.exp(-x) * (1 + x + (x * x) / 2))).toBeLessThan(
      kolmogorovSmirnovLimit,
    );
  });

  it('from another distribution would be noticed', () => {
    const rng = decisionRng(7, 1);
    const sample = Array.from({ length: 50_000 }, () => drawBeta(3.5, 2, rng));
    expect(kolmogorovSmirnov(sample, (x) => betaCdf(x, 3.5, 2.05))).toBeGreaterThan(kolmogorovSmirnovLimit);
  });
});

describe('the random numbers of decisions', () => {
  it('are the same for the same decision and uniform over neighbouring ones', () => {
    expect(decisionRng(1, 5)()).toBe(decisionRng(1, 5)());
    const firsts = Array.from({ length: 20_000 }, (_, ordinal) => decisionRng(1, ordinal + 1)());
    const seeds = Array.from({ length: 20_000 }, (_, seed) => decisionRng(seed, 1)());
    for (const sample of [firsts, seeds])
      expect(kolmogorovSmirnov(sample, (x) => x)).toBeLessThan(kolmogorovSmirnovLimit);
    const steps = firsts.slice(1).map((x, i) => (x - firsts[i]! + 1) % 1);
    expect(kolmogorovSmirnov(steps, (x) => x)).toBeLessThan(kolmogorovSmirnovLimit);
  });
});

function near(actual: number, expected: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-9);
}

/** Integers stand for 2^1600ths: enough for powers as small as 2^-801 to keep 700 bits. */
const scale = 1600n;

/** By bisection of I_x(a, b) to 2^-60. */
function exactQuantile(p: number, a: number, b: number): number {
  let [low, high] = [0n, 1n << 60n];
  const target = BigInt(Math.round(p * 2 ** 53)) << (scale - 53n);
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (exactCdf(middle << (scale - 60n), a, b) < target) low = middle;
    else high = middle;
  }
  return Number(high) / 2 ** 60;
}

/** I_x(a, b) for whole a and b: the probability that at least a of a + b - 1 trials of chance x succeed. */
function exactCdf(x: bigint, a: number, b: number): bigint {
  const n = a + b - 1;
  const [successes, failures] = [powers(x, n), powers((1n << scale) - x, n)];
  let sum = 0n;
  let binomial = 1n;
  for (let j = 0; j <= n; j += 1) {
    if (j >= a) sum += (binomial * successes[j]! * failures[n - j]!) >> scale;
    binomial = (binomial * BigInt(n - j)) / BigInt(j + 1);
  }
  return sum;
}

function powers(base: bigint, highest: number): bigint[] {
  const all = [1n << scale];
  for (let i = 1; i <= highest; i += 1) all.push((all[i - 1]! * base) >> scale);
  return all;
}
