import type { TaskFile } from './schema.ts';

/** One `@@` part of a patch. Lines keep their first character: blank for context, `-` for old, `+` for new. */
export interface Hunk {
  /** First line of the old text, from 1; 0 when the old text is empty. */
  oldStart: number;
  lines: string[];
  /** The old or the new text does not end in a newline. */
  oldEndsBare: boolean;
  newEndsBare: boolean;
}

/** What a patch does to one file. `before` is null for a new file, `after` for a removed one. */
export interface FilePatch {
  before: string | null;
  after: string | null;
  hunks: Hunk[];
}

const HUNK = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a patch in git's format with `a/` and `b/` prefixes.
 * @throws Error that says what is wrong and in which line of the patch.
 */
export function parsePatch(text: string): FilePatch[] {
  const lines = text.split('\n');
  const files: FilePatch[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? '';
    if (line.startsWith('GIT binary patch') || line.startsWith('Binary files ')) {
      throw new Error(`line ${at + 1} is a binary patch; only text can be patched`);
    }
    if (line.startsWith('--- ')) {
      files.push({ before: nameIn(lines, at, 'a/'), after: nameIn(lines, at + 1, 'b/'), hunks: [] });
      at += 2;
    } else if (line.startsWith('@@')) {
      at = readHunk(lines, at, files.at(-1));
    } else {
      at += 1;
    }
  }
  if (files.length === 0) throw new Error('it changes no file; write it with `git diff`');
  return files;
}

/**
 * The workspace after the patch, in the same order, new files last. Hunks must match at exactly their lines.
 * @throws Error that says which hunk does not fit.
 */
export function applyPatch(workspace: readonly TaskFile[], patch: string): TaskFile[] {
  const files = new Map(workspace.map((file) => [file.path, file]));
  for (const { before, after, hunks } of parsePatch(patch)) {
    const old = before === null ? undefined : files.get(before);
    if (before !== null && !old) throw new Error(`it changes ${before}, which the workspace does not have`);
    if (before === null && after !== null && files.has(after)) throw new Error(`it creates ${after}, which exists`);
    const text = patched(old ? decoder.decode(old.bytes) : '', hunks, after ?? before ?? '');
    if (before !== null && before !== after) files.delete(before);
    if (after !== null) {
      files.set(after, { path: after, bytes: new TextEncoder().encode(text), executable: old?.executable ?? false });
    }
  }
  return [...files.values()];
}

/** A patch that replaces the whole of one existing text file by another text; empty when they are equal. */
export function replacementPatch(path: string, before: string, after: string): string {
  if (before === after) return '';
  const head = `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n`;
  return `${head}@@ -${spanOf(before)} +${spanOf(after)} @@\n${marked('-', before)}${marked('+', after)}`;
}

function nameIn(lines: readonly string[], at: number, prefix: 'a/' | 'b/'): string | null {
  const mark = prefix === 'a/' ? '--- ' : '+++ ';
  const line = lines[at] ?? '';
  const name = line.startsWith(mark) ? line.slice(4).replace(/\t.*$/, '') : '';
  if (name === '/dev/null') return null;
  if (!name.startsWith(prefix)) throw new Error(`line ${at + 1} is not \`${mark}${prefix}<path>\``);
  return name.slice(2);
}

function readHunk(lines: readonly string[], start: number, file: FilePatch | undefined): number {
  const head = HUNK.exec(lines[start] ?? '');
  if (!head || !file) throw new Error(`line ${start + 1} is no hunk of a file`);
  const hunk: Hunk = { oldStart: Number(head[1]), lines: [], oldEndsBare: false, newEndsBare: false };
  let oldLeft = Number(head[2] ?? 1);
  let newLeft = Number(head[4] ?? 1);
  let at = start + 1;
  while (oldLeft > 0 || newLeft > 0 || lines[at]?.startsWith('\\')) {
    const line = lines[at] ?? '';
    if (line.startsWith('\\')) markBareEnd(hunk);
    else if (!/^[ +-]/.test(line))
      throw new Error(`line ${at + 1} ends a hunk ${oldLeft} old and ${newLeft} new lines early`);
    else {
      hunk.lines.push(line);
      if (!line.startsWith('+')) oldLeft -= 1;
      if (!line.startsWith('-')) newLeft -= 1;
    }
    at += 1;
  }
  if (oldLeft < 0 || newLeft < 0) throw new Error(`line ${start + 1} counts fewer lines than its hunk has`);
  file.hunks.push(hunk);
  return at;
}

function markBareEnd(hunk: Hunk): void {
  const last = hunk.lines.at(-1) ?? ' ';
  if (!last.startsWith('+')) hunk.oldEndsBare = true;
  if (!last.startsWith('-')) hunk.newEndsBare = true;
}

function patched(before: string, hunks: readonly Hunk[], path: string): string {
  const old = linesOf(before);
  const result: string[] = [];
  let next = 0;
  for (const hunk of hunks) {
    const at = Math.max(hunk.oldStart - 1, 0) + (oldLines(hunk).length === 0 && hunk.oldStart > 0 ? 1 : 0);
    result.push(...old.slice(next, at));
    for (const [offset, line] of oldLines(hunk).entries()) {
      if (at < next || old[at + offset] !== line) {
        throw new Error(
          `the hunk at line ${hunk.oldStart} of ${path} does not fit: the file has ${JSON.stringify(old[at + offset])}`,
        );
      }
    }
    result.push(...newLines(hunk));
    next = at + oldLines(hunk).length;
  }
  return [...result, ...old.slice(next)].join('');
}

function oldLines(hunk: Hunk): string[] {
  return ended(
    hunk.lines.filter((line) => !line.startsWith('+')),
    hunk.oldEndsBare,
  );
}

function newLines(hunk: Hunk): string[] {
  return ended(
    hunk.lines.filter((line) => !line.startsWith('-')),
    hunk.newEndsBare,
  );
}

function ended(lines: readonly string[], endsBare: boolean): string[] {
  return lines.map((line, index) => line.slice(1) + (endsBare && index === lines.length - 1 ? '' : '\n'));
}

/** The lines of a text, each with its newline but for a last one without. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function spanOf(text: string): string {
  const count = linesOf(text).length;
  return count === 0 ? '0,0' : `1,${count}`;
}

function marked(mark: '-' | '+', text: string): string {
  const body = linesOf(text)
    .map((line) => mark + line)
    .join('');
  return text === '' || text.endsWith('\n') ? body : `${body}\n\\ No newline at end of file\n`;
}
