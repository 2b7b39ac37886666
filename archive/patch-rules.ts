/** Why a patch of an agent's source is not taken. */
export interface Refusal {
  rejected: 'empty' | 'does-not-apply' | 'forbidden-path' | 'too-large';
  detail: string;
}

/** Largest patch that is looked at. */
export const maxPatchBytes = 2 * 1024 * 1024;
const maxFiles = 200;
const maxTreeBytes = 16 * 1024 * 1024;

/** What the text of a patch alone forbids: sizes, binary files, and anything but regular files. */
export function refusePatchText(patch: string): Refusal | null {
  if (patch.trim() === '') return { rejected: 'empty', detail: 'The patch changes nothing.' };
  const bytes = new TextEncoder().encode(patch).length;
  if (bytes > maxPatchBytes)
    return { rejected: 'too-large', detail: `The patch has ${bytes} bytes; ${maxPatchBytes} are allowed.` };
  // Lines of content start with a blank, + or -, so these can only be headers.
  if (/^(GIT binary patch|Binary files .* differ)$/m.test(patch)) {
    return { rejected: 'forbidden-path', detail: 'The patch holds a binary file; only text is allowed.' };
  }
  const mode = /^(?:new file mode|deleted file mode|new mode|old mode|index \S+) (?!100644$|100755$)(\d+)$/m.exec(
    patch,
  )?.[1];
  if (mode)
    return {
      rejected: 'forbidden-path',
      detail: `The patch makes something of mode ${mode}; only regular files are allowed.`,
    };
  return null;
}

/** What the paths a patch touches forbid, given as `git apply --numstat -z` lists them. */
export function refuseNumstat(numstat: string): Refusal | null {
  const entries = numstat.split('\0').filter((entry) => entry !== '');
  if (entries.length > maxFiles) {
    return { rejected: 'too-large', detail: `The patch touches ${entries.length} files; ${maxFiles} are allowed.` };
  }
  for (const entry of entries) {
    const [added, , ...path] = entry.split('\t');
    if (added === '-')
      return { rejected: 'forbidden-path', detail: `${shown(path.join('\t'))} is binary; only text is allowed.` };
    const defect = pathDefect(path.join('\t'));
    if (defect !== null) return { rejected: 'forbidden-path', detail: defect };
  }
  return null;
}

/** Files as they lie in the tree after a patch: `mode` as git has it, e.g. 100644. */
export function refuseTree(files: readonly { path: string; mode: string; bytes: number }[]): Refusal | null {
  for (const { path, mode } of files) {
    if (mode !== '100644' && mode !== '100755') {
      return { rejected: 'forbidden-path', detail: `${shown(path)} has mode ${mode}; only regular files are allowed.` };
    }
    const defect = pathDefect(path);
    if (defect !== null) return { rejected: 'forbidden-path', detail: defect };
  }
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes <= maxTreeBytes) return null;
  return {
    rejected: 'too-large',
    detail: `The agent would have ${bytes} bytes of source; ${maxTreeBytes} are allowed.`,
  };
}

/** Why a name may not be in a patch, nor in an agent's source; null when it may. */
export function pathDefect(path: string): string | null {
  const name = `The name ${shown(path)}`;
  if (/[\u0000-\u001f\u007f-\u009f\\]/.test(path)) return `${name} holds a control character or a backslash.`;
  if (path.length > 200) return `${name} is longer than 200 characters.`;
  if (path === '' || path.startsWith('/')) return `${name} is not relative.`;
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    return `${name} does not stay below its root.`;
  return parts.some(isGitName) ? `${name} is one that git gives a meaning to.` : null;
}

/** `.git`, `.gitattributes` and the like, in the spellings that some file systems take for the same. */
function isGitName(name: string): boolean {
  const plain = name
    .normalize('NFKC')
    .replace(/\p{Cf}/gu, '')
    .toLowerCase();
  return plain.startsWith('.git') || /^git~\d/.test(plain);
}

function shown(path: string): string {
  return JSON.stringify(path.slice(0, 200));
}
