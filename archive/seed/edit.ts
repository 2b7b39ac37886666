import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Replaces `before` by `after` in a file, or writes the whole file when `before` is empty. Throws on what it will not do. */
export function edit(directory: string, path: string, before: string, after: string): string {
  const file = resolve(directory, path);
  if (before === '') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, after);
    return `wrote ${path}`;
  }
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, replaceOnce(text, before, after, path));
  return `edited ${path}`;
}

function replaceOnce(text: string, before: string, after: string, path: string): string {
  const at = text.indexOf(before);
  if (at < 0) throw new Error(`the old text is not in ${path}; it must match exactly, with all spaces`);
  if (text.indexOf(before, at + 1) >= 0) {
    throw new Error(`the old text is in ${path} more than once; add lines around it`);
  }
  return text.slice(0, at) + after + text.slice(at + before.length);
}
