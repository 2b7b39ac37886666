import type { Output, Sandbox } from '#sandbox/sandbox.ts';

/** Characters of a transcript that are stored; what is more loses its middle. */
export const maxTranscriptChars = 400_000;

/** What a program printed, as text that is safe to show anywhere: invalid UTF-8 replaced, control characters gone. */
export function printedText(output: Pick<Output, 'bytes'>): string {
  return withoutControls(new TextDecoder('utf-8', { fatal: false }).decode(output.bytes));
}

/** Drops terminal escapes and every control character but newline and tab; a carriage return becomes a newline. */
export function withoutControls(text: string): string {
  return text
    .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])/g, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '');
}

/**
 * At most about `maxChars` of a text: its head and its tail (the larger part, since that is where programs say what went
 * wrong), with a line between them that says how much is missing.
 */
export function cutMiddle(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const head = Math.floor(maxChars / 3);
  const tail = maxChars - head;
  const missing = text.length - maxChars;
  return `${wholeCharacters(text.slice(0, head))}\n[... ${missing} characters left out ...]\n${wholeCharacters(text.slice(-tail))}`;
}

/** One transcript of several programs' output: a heading line for each, empty ones left out. */
export function joinSections(
  sections: readonly { title: string; text: string }[],
  maxChars = maxTranscriptChars,
): string {
  const shown = sections.filter((section) => section.text.trim() !== '');
  const each = Math.floor(maxChars / Math.max(1, shown.length));
  return shown.map((section) => `=== ${section.title} ===\n${cutMiddle(section.text.trimEnd(), each)}\n`).join('\n');
}

/** The first line of a text, at most `maxChars` long: for details that must fit one line. */
export function firstLine(text: string, maxChars = 200): string {
  const line = withoutControls(text).trim().split('\n', 1)[0] ?? '';
  return line.length <= maxChars ? line : `${wholeCharacters(line.slice(0, maxChars - 1))}…`;
}

/** Text in which files go by the names they have inside, also where the sandbox's root is a directory of the host. */
export function insideNames(sandbox: Pick<Sandbox, 'path'>, text: string): string {
  const workspace = sandbox.path('/workspace');
  const root = workspace.slice(0, -'/workspace'.length);
  return root === '' ? text : text.replaceAll(root, '');
}

/** Drops half of a surrogate pair at either end, which a cut may have left. */
function wholeCharacters(text: string): string {
  return text.replace(/[\ud800-\udbff]$/, '').replace(/^[\udc00-\udfff]/, '');
}
