import { applyPatch, type FilePatch, type Hunk, parsePatch } from '#benchmarks/patch.ts';
import type { TaskFile } from '#benchmarks/schema.ts';

/** One change to one file. Changes of a file are made in order: each is written for the text that the ones before it leave. */
export type Change =
  | { kind: 'replace'; path: string; before: string; after: string; lines: { first: number; last: number } }
  | { kind: 'write'; path: string; text: string; isNew: boolean }
  | { kind: 'remove'; path: string };

/** A patch as the changes that make it, and the same way split in two: a beginning that is not enough, and the rest. */
export interface Reference {
  changes: Change[];
  beginning: Change[];
  rest: Change[];
}

/** @throws Error when the patch does not fit the workspace. */
export function readReference(workspace: readonly TaskFile[], patch: string): Reference {
  const texts = new Map(workspace.map((file) => [file.path, decode(file.bytes)]));
  const after = new Map(applyPatch(workspace, patch).map((file) => [file.path, decode(file.bytes)]));
  const changes = parsePatch(patch).flatMap((file) => changesOf(file, texts, after));
  return { changes, ...split(changes, texts) };
}

function changesOf(file: FilePatch, before: Map<string, string>, after: Map<string, string>): Change[] {
  const moved = file.before !== null && file.after !== null && file.before !== file.after;
  const removal: Change[] =
    file.before !== null && file.before !== file.after ? [{ kind: 'remove', path: file.before }] : [];
  if (file.after === null) return removal;
  const text = after.get(file.after) ?? '';
  if (file.before === null || moved) return [{ kind: 'write', path: file.after, text, isNew: true }, ...removal];
  const old = before.get(file.before) ?? '';
  if (isRewrite(file.hunks, old)) return [{ kind: 'write', path: file.after, text, isNew: false }];
  return replacements(file.after, old, file.hunks);
}

/** Whether hardly a line of the file stays. */
function isRewrite(hunks: readonly Hunk[], old: string): boolean {
  const removed = hunks.flatMap((hunk) => hunk.lines).filter((line) => line.startsWith('-')).length;
  return removed >= linesOf(old).length * 0.8;
}

function replacements(path: string, old: string, hunks: readonly Hunk[]): Change[] {
  const lines = linesOf(old);
  let shift = 0;
  return hunks.map((hunk) => {
    const [before, after] = [sideOf(hunk, '-'), sideOf(hunk, '+')];
    const first = Math.max(hunk.oldStart, 1);
    const start = Math.max(hunk.oldStart - 1, 0) + (before.length === 0 && hunk.oldStart > 0 ? 1 : 0) + shift;
    const change = replacement(path, lines, { start, count: before.length, first }, after);
    lines.splice(start, before.length, ...after);
    shift += after.length - before.length;
    return change;
  });
}

/** Takes in lines around the place until the old text is there only once. `first` is the place in the untouched file. */
function replacement(
  path: string,
  lines: readonly string[],
  place: { start: number; count: number; first: number },
  after: readonly string[],
): Change {
  const text = lines.join('');
  let from = place.start;
  let to = place.start + place.count;
  const before = () => lines.slice(from, to).join('');
  while ((before() === '' || text.split(before()).length > 2) && (from > 0 || to < lines.length)) {
    from = Math.max(0, from - 1);
    to = Math.min(lines.length, to + 1);
  }
  const [head, tail] = [lines.slice(from, place.start), lines.slice(place.start + place.count, to)];
  const first = Math.max(1, place.first - head.length);
  const whole = [...head, ...after, ...tail].join('');
  return { kind: 'replace', path, before: before(), after: whole, lines: { first, last: first + to - from } };
}

/** With several changes the first half of them is not enough; of a single one, the part without its last telling line. */
function split(changes: readonly Change[], texts: ReadonlyMap<string, string>): Omit<Reference, 'changes'> {
  const [only] = changes;
  if (only === undefined || changes.length > 1) {
    const middle = Math.floor(changes.length / 2);
    return { beginning: changes.slice(0, middle), rest: changes.slice(middle) };
  }
  if (only.kind === 'remove') return { beginning: [], rest: [only] };
  if (only.kind === 'write') {
    const lines = linesOf(only.text);
    return { beginning: [{ ...only, text: lines.slice(0, Math.floor(lines.length / 2)).join('') }], rest: [only] };
  }
  return splitReplacement(only, texts.get(only.path) ?? '');
}

function splitReplacement(change: Change & { kind: 'replace' }, text: string): Omit<Reference, 'changes'> {
  const old = new Set(linesOf(change.before));
  const after = linesOf(change.after);
  const dropped = after.findLastIndex(
    (line) => !old.has(line) && /\w/.test(line) && !/^\s*(\/\/|#|\*|\/\*)/.test(line),
  );
  const part = after.filter((_, index) => index !== dropped);
  if (dropped < 0 || part.join('') === change.before) return { beginning: [], rest: [change] };
  const start = linesOf(text.slice(0, text.indexOf(change.before))).length;
  const lines = linesOf(text.replace(change.before, () => part.join('')));
  const place = { start, count: part.length, first: change.lines.first };
  return { beginning: [{ ...change, after: part.join('') }], rest: [replacement(change.path, lines, place, after)] };
}

function sideOf(hunk: Hunk, side: '-' | '+'): string[] {
  const lines = hunk.lines
    .filter((line) => line.startsWith(' ') || line.startsWith(side))
    .map((line) => `${line.slice(1)}\n`);
  const endsBare = side === '-' ? hunk.oldEndsBare : hunk.newEndsBare;
  return endsBare ? [...lines.slice(0, -1), (lines.at(-1) ?? '').slice(0, -1)] : lines;
}

/** The lines of a text, each with its newline but for a last one without. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
