import type Docker from 'dockerode';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { Limits } from '#sandbox/schema.ts';
import type { GradingSandbox } from '#services/evaluator/grade-patch.ts';
import { ownLabels } from '#services/evaluator/process-mark.ts';
import type { Section } from '#test/bench/sections.ts';

export type HarnessSection = Section<Bench>;

/** What there is to measure with. */
export interface Bench {
  docker: { driver: SandboxDriver; engine: Docker } | Missing;
  bubblewrap: { driver: SandboxDriver } | Missing;
  /** Rounds of a section that measures in turns; undefined: as many as it takes for a median, and no more. */
  rounds: number | undefined;
  /** A file of polyglot exercises, one a line: `{language, exercise, files: {path: text}}`. */
  polyglot: string | undefined;
  signal: AbortSignal;
  say(line: string): void;
}

export interface Missing {
  missing: string;
}

/** For sandboxes of a bench, which all belong to this process. */
export function benchRoom(job: string, limits: Partial<Limits> = {}): GradingSandbox {
  return { limits: Limits.parse({ cpus: 2, memoryMiB: 2048, ...limits }), labels: ownLabels('bench', job) };
}

export const ratioText = (ratio: number): string => `x ${ratio.toFixed(ratio < 10 ? 2 : 1)}`;
export const msText = (ms: number): string => `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
export const shareText = (share: number): string => `${(100 * share).toFixed(1)} %`;
