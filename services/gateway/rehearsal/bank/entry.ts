import type { Ability } from '#benchmarks/schema.ts';

/** A step of an improvement. An anchor stands exactly once in the file, whichever other entries were applied before. */
export type Edit =
  | { kind: 'replace'; path: string; anchor: string; replacement: string }
  | { kind: 'create'; path: string; text: string }
  | { kind: 'run'; command: string };

/** How a harmful edit shows: the viability check it fails, or `worse` when it passes all and the child solves less. */
export type Harm =
  | 'does-not-parse'
  | 'own-tests-fail'
  | 'does-not-start'
  | 'fails-smoke'
  | 'cannot-self-edit'
  | 'empty'
  | 'forbidden-path'
  | 'too-large'
  | 'worse';

/** Something the rehearsal proposes when it is asked to improve an agent. */
export interface Entry {
  /** At most 60 characters, different from every other entry's. */
  title: string;
  improvement: string;
  edits: readonly Edit[];
  effect:
    | { kind: 'good'; abilities: readonly Ability[]; extent: 'full' | 'partial' }
    | { kind: 'useless' }
    | { kind: 'harmful'; harm: Harm };
}
