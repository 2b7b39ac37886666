import type { Ability, Suite } from '#benchmarks/schema.ts';
import { entries } from './bank/bank.ts';
import type { Edit, Entry } from './bank/entry.ts';
import { chance, pick } from './chance.ts';
import type { Conversation } from './conversation.ts';
import { abilitiesIn } from './knowledge.ts';
import { type Move, say } from './move.ts';

type Kind = Entry['effect']['kind'];

/** How often a proposal is of each kind, as long as there is one left of it. */
const shares: readonly [Kind, number][] = [
  ['good', 0.55],
  ['useless', 0.05],
  ['harmful', 0.4],
];

/** How often a good proposal is one for what just failed. */
const relevantShare = 0.9;

/** How much more often than a partial remedy a full one is proposed, for each ability. */
const fullWeight = 4;

/** Adding this over and over spreads numbers evenly over [0, 1): the proposals from one parent keep to the shares. */
const goldenRatio = (Math.sqrt(5) - 1) / 2;

export function isDiagnosis({ system }: Conversation): boolean {
  return system.startsWith('You improve a coding agent.');
}

/**
 * States one improvement from the bank as JSON. It depends on the source, on what was tried, on which tasks failed and on the
 * seed; not on what the agent printed, which holds times.
 */
export function diagnose(talk: Conversation, suites: readonly Suite[], seed: number): Move {
  const sections = readSections(talk.task);
  const source = readSource(sections.get('Source') ?? '');
  const tried = readTried(sections.get('Already tried') ?? '');
  const lifted = new Set(entries.filter((entry) => isMade(entry, source)).flatMap(abilitiesOf));
  const wanted = abilitiesIn(suites, sections.get('Evidence') ?? '').filter((ability) => !lifted.has(ability));
  const offered = entries.filter(
    (entry) => !tried.has(entry.title) && fits(entry, source) && !isSuperseded(entry, lifted),
  );
  const text = JSON.stringify([seed, [...source], [...tried], wanted]);
  const turn = (chance(JSON.stringify([seed, [...source]])) + tried.size * goldenRatio) % 1;
  const entry = choose(
    offered.filter((candidate) => !isKnownHarm(candidate, tried)),
    wanted,
    { turn, text },
  );
  if (!entry) return say('I see nothing to improve in this agent.');
  return say(JSON.stringify({ title: entry.title, improvement: entry.improvement }));
}

function choose(
  offered: readonly Entry[],
  wanted: readonly Ability[],
  { turn, text }: { turn: number; text: string },
): Entry | null {
  for (const kind of kindsInOrder(turn)) {
    const ofKind = offered.filter(({ effect }) => effect.kind === kind);
    const relevant = ofKind.filter((entry) => abilitiesOf(entry).some((ability) => wanted.includes(ability)));
    const best = relevant.length > 0 && chance(`relevant ${text}`) < relevantShare ? relevant : ofKind;
    if (best.length > 0) return pick(oneHarm(best, text).flatMap(weighted), `entry ${text}`);
  }
  return null;
}

/** Nobody makes the same mistake twice, as long as it is told. */
function isKnownHarm({ effect }: Entry, tried: ReadonlyMap<string, string>): boolean {
  return effect.kind === 'harmful' && [...tried.values()].includes(effect.harm);
}

/** Of harmful entries those of one kind of harm, each kind as likely as the others. Entries of other kinds are left as they are. */
function oneHarm(candidates: readonly Entry[], text: string): readonly Entry[] {
  const harms = [...new Set(candidates.flatMap(({ effect }) => (effect.kind === 'harmful' ? [effect.harm] : [])))];
  if (harms.length === 0) return candidates;
  const harm = pick(harms, `harm ${text}`);
  return candidates.filter(({ effect }) => effect.kind === 'harmful' && effect.harm === harm);
}

/** An entry as often as it is worth: what lifts more is proposed more often. */
function weighted(entry: Entry): Entry[] {
  const isFull = entry.effect.kind === 'good' && entry.effect.extent === 'full';
  return Array.from({ length: isFull ? fullWeight * abilitiesOf(entry).length : 1 }, () => entry);
}

function abilitiesOf({ effect }: Entry): readonly Ability[] {
  return effect.kind === 'good' ? effect.abilities : [];
}

/** Whether the full remedy for one ability is in the source. Its first edit tells: no other entry makes or breaks that. */
function isMade({ edits, effect }: Entry, source: ReadonlyMap<string, string>): boolean {
  const [first] = edits;
  if (effect.kind !== 'good' || effect.extent === 'partial' || effect.abilities.length > 1) return false;
  if (first === undefined || first.kind === 'run') return false;
  const text = source.get(first.path);
  return text !== undefined && (first.kind === 'create' || text.includes(first.replacement));
}

function isSuperseded(entry: Entry, lifted: ReadonlySet<Ability>): boolean {
  return abilitiesOf(entry).some((ability) => lifted.has(ability));
}

/** The kind that the number falls on, then the others. */
function kindsInOrder(number: number): Kind[] {
  let sum = 0;
  const hit = shares.findIndex(([, share]) => {
    sum += share;
    return number < sum;
  });
  const kinds = shares.map(([kind]) => kind);
  return [...kinds.slice(hit), ...kinds.slice(0, Math.max(0, hit))];
}

/** Whether the entry can still be made: every anchor is there once, no file would be overwritten, and it was not made before. */
function fits(entry: Entry, source: ReadonlyMap<string, string>): boolean {
  return entry.edits.every((edit) => editFits(edit, source));
}

function editFits(edit: Edit, source: ReadonlyMap<string, string>): boolean {
  if (edit.kind === 'run') return true;
  const text = source.get(edit.path);
  if (edit.kind === 'create') return text === undefined;
  return text !== undefined && !text.includes(edit.replacement) && text.split(edit.anchor).length === 2;
}

/** The parts below `## ` headings. Those within fences are not headings. */
function readSections(message: string): Map<string, string> {
  const parts = message.split(/^## (?=(?:Source|Evidence|Already tried|Answer)$)/m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')), part.slice(part.indexOf('\n') + 1)]));
}

/** Files as `### path` and a fence around the text. */
function readSource(section: string): Map<string, string> {
  const files = section.matchAll(/^### (.+)\n\n(`{3,})\n([\s\S]*?)\n\2$/gm);
  return new Map([...files].map(([, path, , text]) => [path ?? '', `${text}\n`]));
}

/** Title and outcome of what was tried. */
function readTried(section: string): Map<string, string> {
  const lines = section.matchAll(/^- (.+) \(([a-z-]+)\)$/gm);
  return new Map([...lines].map(([, title, outcome]) => [title ?? '', outcome ?? '']));
}
