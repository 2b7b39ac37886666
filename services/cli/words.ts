import type { Run, RunState } from '#archive/schema.ts';
import type { RunView } from '#services/api/schema.ts';
import { type Score, scoreText } from '#services/score.ts';
import type { Paint } from './terminal.ts';

/** `a7` of `rk7m2pq-a7`. */
export function shortId(id: string): string {
  return id.slice(id.lastIndexOf('-') + 1);
}

/** Micro-dollars as `$0.0123`. */
export function dollars(uusd: number): string {
  return `$${(uusd / 1e6).toFixed(uusd < 1e6 ? 4 : 2)}`;
}

/** Milliseconds as `42 s`, `3:07` or `2:03:07`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** A score with n and interval, coloured by its mean. */
export function paintScore(paint: Paint, score: Score): string {
  const text = scoreText(score);
  if (score.mean === null) return paint.dim(text);
  if (score.mean >= 2 / 3) return paint.green(text);
  return score.mean >= 1 / 3 ? paint.yellow(text) : paint.red(text);
}

export function paintState(paint: Paint, state: RunState): string {
  if (state === 'finished') return paint.green(state);
  if (state === 'failed') return paint.red(state);
  return state === 'running' || state === 'closing' ? paint.cyan(state) : paint.yellow(state);
}

export function isOver({ state }: Pick<Run, 'state'>): boolean {
  return state === 'finished' || state === 'stopped' || state === 'failed';
}

/** `rk7m2pq (running), r0aaaaa (paused)`. */
export function listOfRuns(runs: readonly Pick<Run, 'id' | 'state'>[]): string {
  return runs.map(({ id, state }) => `${id} (${state})`).join(', ');
}

/** `45/150`, or `45` without a limit. */
export function ofLimit(used: number, limit: number | undefined): string {
  return limit === undefined ? String(used) : `${used}/${limit}`;
}

/** `$0.0312 of $1.00`, or `$0.0312`. */
export function spendText({ spentUusd, budget }: Pick<RunView, 'spentUusd' | 'budget'>): string {
  return budget.usd === null ? dollars(spentUusd) : `${dollars(spentUusd)} of ${dollars(budget.usd.limit * 1e6)}`;
}
