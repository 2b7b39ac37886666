/** The distribution function of Beta(a, b): I_x(a, b) by Lentz's continued fraction (DLMF 8.17.22), for judging draws. */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - betaCdf(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  let [c, d, fraction] = [1, 0, 1];
  for (let i = 0; i < 10_000; i += 1) {
    const m = Math.floor(i / 2);
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    const term = i === 0 ? 1 : i % 2 === 0 ? even : odd;
    d = 1 / nonZero(1 + term * d);
    c = nonZero(1 + term / c);
    fraction *= c * d;
    if (i > 0 && Math.abs(1 - c * d) < 1e-15) break;
  }
  return front * (fraction - 1);
}

export function betaDensity(x: number, a: number, b: number): number {
  return Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + (a - 1) * Math.log(x) + (b - 1) * Math.log1p(-x));
}

/** log Gamma(x) for x > 0: Stirling's series after shifting x beyond 10 (DLMF 5.11.1). */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 10; z += 1) shift += Math.log(z);
  const series = 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1260 * z ** 5) - 1 / (1680 * z ** 7);
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

function nonZero(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value;
}

/**
 * For each of several Beta distributions, the probability that its draw is the largest: the integral over x of its density times
 * the others' distribution functions, by the midpoint rule.
 */
export function largestDrawProbabilities(parameters: readonly (readonly [number, number])[], steps = 4_000): number[] {
  const totals = parameters.map(() => 0);
  for (let i = 0; i < steps; i += 1) {
    const x = (i + 0.5) / steps;
    const below = parameters.map(([a, b]) => betaCdf(x, a, b));
    for (const [j, [a, b]] of parameters.entries()) {
      const others = below.reduce((product, p, k) => (k === j ? product : product * p), 1);
      totals[j]! += (betaDensity(x, a, b) * others) / steps;
    }
  }
  return totals;
}

/** Kolmogorov and Smirnov's distance of a sample from a distribution, times the root of the sample's size. */
export function kolmogorovSmirnov(sample: readonly number[], cdf: (x: number) => number): number {
  const sorted = sample.toSorted((a, b) => a - b);
  const n = sorted.length;
  const gaps = sorted.map((x, i) => Math.max((i + 1) / n - cdf(x), cdf(x) - i / n));
  return gaps.reduce((largest, gap) => Math.max(largest, gap), 0) * Math.sqrt(n);
}

/** The distance beyond which one sample in a thousand of the right distribution lies. */
export const kolmogorovSmirnovLimit = 1.95;

/** Pearson's chi-square of counts against probabilities. */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const n = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => sum + (count - n * probabilities[i]!) ** 2 / (n * probabilities[i]!), 0);
}

/** The 99.9th percentile of chi-square (Wilson and Hilferty's approximation, good to 2 %). */
export function chiSquareLimit(degrees: number): number {
  const k = 2 / (9 * degrees);
  return degrees * (1 - k + 3.0902 * Math.sqrt(k)) ** 3;
}
