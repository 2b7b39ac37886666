import { z } from 'zod';

/** A mean score with what it rests on. No score is shown without its `n` and interval. */
export const Score = z
  .object({
    mean: z.number().nullable().describe('Sum of scores over n; null without a trial.'),
    n: z.int().nonnegative().describe('Counted trials.'),
    low: z.number().describe('Lower end of the 95 % interval.'),
    high: z.number().describe('Upper end of the 95 % interval.'),
  })
  .describe('A mean with its 95 % Wilson score interval');
export type Score = z.infer<typeof Score>;

/** The 0.975 quantile of the standard normal distribution. */
const Z = 1.959963984540054;

/**
 * The mean of `n` scores in [0, 1] that sum to `s`, with the Wilson score interval: E. B. Wilson, "Probable inference, the law
 * of succession, and statistical inference", JASA 22 (1927). Exact for scores of 0 and 1; too wide, never too narrow, for fractions.
 */
export function scoreOf(s: number, n: number): Score {
  if (n === 0) return { mean: null, n, low: 0, high: 1 };
  const mean = s / n;
  const scale = 1 + (Z * Z) / n;
  const center = (mean + (Z * Z) / (2 * n)) / scale;
  const half = (Z / scale) * Math.sqrt((mean * (1 - mean)) / n + (Z * Z) / (4 * n * n));
  return { mean, n, low: Math.max(0, center - half), high: Math.min(1, center + half) };
}

/** `0.75 [0.53, 0.89] n=20`, or `- n=0`. */
export function scoreText(score: Score): string {
  if (score.mean === null) return '- n=0';
  return `${score.mean.toFixed(2)} [${score.low.toFixed(2)}, ${score.high.toFixed(2)}] n=${score.n}`;
}
