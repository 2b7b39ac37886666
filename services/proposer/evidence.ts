import type { Evidence, Trial, TrialId } from '#archive/schema.ts';

type Kind = Exclude<Evidence['kind'], 'none'>;

/** How often a kind is chosen when all apply. One failed task says most; the others show what no single task does. */
const weights: Record<Kind, number> = { 'failed-task': 3, 'empty-patches': 1, timeouts: 1, unstable: 1 };
const allKinds: readonly Kind[] = ['failed-task', 'empty-patches', 'timeouts', 'unstable'];

/** A habit, rather than an accident: this many trials and this share of them. */
const manyTrials = 2;
const manyShare = 0.1;

/** Trials shown of one kind. */
const shown = 3;

/**
 * Chooses what a proposal is made from, out of the parent's trials: a kind among those that apply, by weight, and then
 * trials of it at random. Trials that do not count (under way, set aside) are not looked at. `none` when nothing failed.
 * @param rng uniform in [0, 1); the same numbers give the same choice.
 */
export function chooseEvidence(trials: readonly Trial[], rng: () => number): Evidence {
  const material = materialOf(trials.filter((trial) => trial.y !== null));
  const kinds = allKinds.filter((kind) => material[kind].length > 0);
  const kind = pickWeighted(kinds, rng);
  if (kind === null) return { kind: 'none', trialIds: [] };
  const group = pick(material[kind], rng) ?? [];
  return { kind, trialIds: sample(group, shown, rng) };
}

/** For each kind the groups of trials that are evidence of it; one group is shown. */
function materialOf(counted: readonly Trial[]): Record<Kind, TrialId[][]> {
  const failed = counted.filter((trial) => (trial.y ?? 0) < 1);
  return {
    'failed-task': failed.map((trial) => [trial.id]),
    'empty-patches': habit(counted, 'empty-patch'),
    timeouts: habit(counted, 'timeout'),
    unstable: unstableTasks(counted),
  };
}

function habit(counted: readonly Trial[], outcome: Trial['outcome']): TrialId[][] {
  const found = counted.filter((trial) => trial.outcome === outcome);
  const isHabit = found.length >= manyTrials && found.length >= manyShare * counted.length;
  return isHabit ? [found.map((trial) => trial.id)] : [];
}

/** Tasks that one and the same agent solved in one attempt and not in another. */
function unstableTasks(counted: readonly Trial[]): TrialId[][] {
  const byTask = Map.groupBy(counted, (trial) => trial.task);
  const differing = [...byTask.values()].filter((attempts) => new Set(attempts.map((trial) => trial.y)).size > 1);
  return differing.map((attempts) => attempts.map((trial) => trial.id));
}

function pickWeighted(kinds: readonly Kind[], rng: () => number): Kind | null {
  let at = rng() * kinds.reduce((sum, kind) => sum + weights[kind], 0);
  for (const kind of kinds) {
    at -= weights[kind];
    if (at < 0) return kind;
  }
  return null;
}

function pick<T>(items: readonly T[], rng: () => number): T | undefined {
  return items[Math.floor(rng() * items.length)];
}

/** At most `size` of the items, in their own order. */
function sample<T>(items: readonly T[], size: number, rng: () => number): T[] {
  const left = items.map((_, index) => index);
  const taken = Array.from(
    { length: Math.min(size, items.length) },
    () => left.splice(Math.floor(rng() * left.length), 1)[0] ?? 0,
  );
  return taken.sort((a, b) => a - b).flatMap((index) => items.slice(index, index + 1));
}
