import betaQuantileOf from '@stdlib/stats-base-dists-beta-quantile';
import type { Rng } from './policy.ts';

/** A draw from Beta(a, b), a and b > 0: X / (X + Y) with X, Y from Gamma(a), Gamma(b). */
export function drawBeta(a: number, b: number, rng: Rng): number {
  if (a < 1 || b < 1) return drawSmallBeta(a, b, rng);
  const [first, second] = drawNormals(rng);
  const x = drawLargeGamma(a, first, rng);
  return x / (x + drawLargeGamma(b, second, rng));
}

/** The p-quantile of Beta(a, b). */
export function betaQuantile(p: number, a: number, b: number): number {
  return betaQuantileOf(p, a, b);
}

/**
 * Whether P(X <= x) >= p for X from Beta(a, b), a and b >= 1: whether the p-quantile is at most x, at a fraction of what that
 * costs. Sums I_x(a, b) = x^a (1 - x)^b / (a B(a, b)) * (1 + (a + b) / (a + 1) x + (a + b) (a + b + 1) / ((a + 1) (a + 2)) x^2
 * + ...) (Abramowitz and Stegun 26.5.4), whose terms are positive, until p is reached or what is left is too small.
 */
export function reachesByBeta(p: number, x: number, a: number, b: number): boolean {
  if (x <= 0 || x >= 1) return x >= 1;
  const first = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - Math.log(a) - logBeta(a, b));
  let sum = first;
  for (let term = first, n = 0; sum < p; n += 1) {
    const ratio = ((a + b + n) / (a + 1 + n)) * x;
    term *= ratio;
    sum += term;
    // From here on the terms shrink by at least `ratio` each.
    if (ratio < 1 && sum + (term * ratio) / (1 - ratio) < p) return false;
    if (term < sum * 1e-16) return sum >= p;
  }
  return true;
}

/** log B(a, b) for a and b >= 1. */
function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** Stirling's series (Abramowitz and Stegun 6.1.41), for x >= 1 raised to where four terms of it are exact to 1e-12. */
function logGamma(x: number): number {
  let [z, product] = [x, 1];
  for (; z < 10; z += 1) product *= z;
  const inverse = 1 / (z * z);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}

/** A draw from Gamma(shape, 1), shape > 0. */
export function drawGamma(shape: number, rng: Rng): number {
  return Math.exp(drawLogGamma(shape, rng));
}

/**
 * Marsaglia and Tsang, A simple method for generating gamma variables, ACM TOMS 26 (2000), for shape >= 1. `normal` is the
 * standard normal to try first.
 */
function drawLargeGamma(shape: number, normal: number, rng: Rng): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (let x = normal; ; x = drawNormals(rng)[0]) {
    const root = 1 + c * x;
    if (root <= 0) continue;
    const v = root * root * root;
    const u = 1 - rng();
    const x2 = x * x;
    if (u < 1 - 0.0331 * x2 * x2) return d * v;
    if (Math.log(u) < 0.5 * x2 + d * (1 - v + Math.log(v))) return d * v;
  }
}

/** log Gamma(shape) for any shape: below 1, Gamma(shape + 1) * U^(1 / shape) (same paper, section 6), whose value may underflow. */
function drawLogGamma(shape: number, rng: Rng): number {
  if (shape >= 1) return Math.log(drawLargeGamma(shape, drawNormals(rng)[0], rng));
  return Math.log(drawLargeGamma(shape + 1, drawNormals(rng)[0], rng)) + Math.log(1 - rng()) / shape;
}

function drawSmallBeta(a: number, b: number, rng: Rng): number {
  return 1 / (1 + Math.exp(-(drawLogGamma(a, rng) - drawLogGamma(b, rng))));
}

/** Two independent standard normals by Marsaglia's polar method. */
function drawNormals(rng: Rng): [number, number] {
  for (;;) {
    const u = 2 * rng() - 1;
    const v = 2 * rng() - 1;
    const s = u * u + v * v;
    if (s === 0 || s >= 1) continue;
    const stretch = Math.sqrt((-2 * Math.log(s)) / s);
    return [u * stretch, v * stretch];
  }
}
