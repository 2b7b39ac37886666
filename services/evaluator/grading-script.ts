import type { Task, TaskFile } from '#benchmarks/schema.ts';
import type { Sandbox } from '#sandbox/sandbox.ts';
import { packTar } from '#sandbox/tar.ts';
import { parsePatch } from './patch.ts';
import { gitEnv } from './snapshot.ts';

/** One program that does all of a grade, since starting one in a container costs as much as many tests. */
export interface GradingProgram {
  argv: string[];
  /** A tar of everything that it puts in place. */
  stdin: Uint8Array;
}

/** What a patch and its task become in a sandbox. */
export interface GradingParts {
  task: Task;
  /** What may be applied of the patch; may be empty. */
  patch: string;
  /** What runs once all is in place: program and arguments, as the sandbox names them. */
  command: readonly string[];
  /** Files for places outside the workspace; paths are relative to the root. */
  files: readonly TaskFile[];
  /** A directory to empty right before the command runs. */
  emptied: string | null;
  /** A word that is nowhere to be found once the command runs: see `setUpIn`. */
  nonce: string;
}

/**
 * Puts the workspace in place, applies the patch, puts the protected files back and the hidden tests and the grader's files
 * last, and then becomes the test command. What it was made of is gone by then.
 */
export function gradingProgram(sandbox: Sandbox, parts: GradingParts): GradingProgram {
  const { task, patch, command, files, emptied, nonce } = parts;
  const places = [sandbox.path('/clade/grade'), sandbox.path(task.workdir), sandbox.path('/')];
  const apply = patch === '' ? 'true' : APPLY[task.applyWith];
  const script = [PROLOGUE, apply, EPILOGUE].join('\n');
  const argv = ['/bin/sh', '-c', script, 'sh', ...places, emptied === null ? '' : sandbox.path(emptied), ...command];
  const last = [...protectedFiles(task), ...task.hiddenTests];
  const entries = [
    ...under('workspace', task.workspace),
    ...under('last', last),
    ...under('root', files),
    textFile('word', nonce),
    textFile('patch', patch),
    textFile('git', gitProgram(sandbox, task), true),
    textFile('numstat.expected', task.applyWith === 'exact' ? numstatOf(patch) : ''),
  ];
  return { argv, stdin: packTar(entries) };
}

/** Whether the test command was reached; only what came before it may refuse a patch or give up. */
export type SetUp = { kind: 'begun'; stderr: string } | { kind: 'refused'; reason: string };

/**
 * What became of a grade up to its test command, by what the program says of itself with its own word before that word is gone.
 * Once the command has begun, nothing that comes is taken for the program's: tests cannot call off their own verdict.
 * @returns for a grade whose tests ran, what those wrote to standard error.
 * @throws Error when the sandbox has not what it takes to grade: that says nothing about the patch.
 */
export function setUpIn(
  { exitCode, timedOut, stderr }: { exitCode: number | null; timedOut: boolean; stderr: string },
  nonce: string,
): SetUp {
  const begun = `${nonce} begun\n`;
  if (stderr.includes(begun)) return { kind: 'begun', stderr: stderr.replace(begun, '') };
  const [, kind, why = ''] = new RegExp(`${nonce} (\\w+): ?(.*)`).exec(stderr) ?? [];
  if (kind === 'refused') return { kind, reason: `The patch does not apply: ${why}` };
  if (kind === 'ambiguous') return { kind: 'refused', reason: 'The patch can be read in two ways.' };
  if (kind === 'broken') throw new Error(`A grading sandbox could not be set up: ${why}`);
  const ended = timedOut ? 'it ran out of time' : `it ended with exit code ${exitCode}`;
  throw new Error(`A grading sandbox could not be set up: ${ended}. Is the disk limit too small? ${stderr}`.trim());
}

const PROLOGUE = `
in=$1 work=$2 root=$3 emptied=$4; shift 4; word=
stop() { kind=$1; shift; echo "$word $kind: $*" >&2; exit 1; }
umask 022
mkdir -p "$in" "$work" && tar -x -f - -m --no-same-owner -C "$in" || exit 71
word=$(cat "$in/word")
if [ -d "$in/workspace" ]; then cp -Rf "$in/workspace/." "$work/" || stop broken "the workspace could not be put in place"; fi
cd "$work" || stop broken "there is no $work"
git() { "$in/git" "$@"; }
`;

const EPILOGUE = `
if [ -d "$in/last" ]; then cp -Rf "$in/last/." "$work/" || stop broken "the tests could not be put in place"; fi
if [ -d "$in/root" ]; then cp -Rf "$in/root/." "$root/" || stop broken "the grader's files could not be put in place"; fi
if [ -n "$emptied" ]; then rm -rf "$emptied"; mkdir -p "$emptied" || stop broken "there is no $emptied"; fi
rm -rf "$in"
echo "$word begun" >&2
exec "$@" < /dev/null
`;

/** Every hunk at its place, and nothing but what was read in the patch. */
const APPLY_EXACTLY = `
git apply --numstat -z --apply --whitespace=nowarn - < "$in/patch" > "$in/numstat" 2> "$in/why" || {
  code=$?; why=$(head -n 1 "$in/why"); [ $code = 126 ] || [ $code = 127 ] && stop broken "git does not run: $why"
  stop refused "exit code $code, $why."
}
git diff --no-index --quiet --no-ext-diff "$in/numstat" "$in/numstat.expected" || stop ambiguous
`;

/**
 * The ways in which SWE-bench's harness applies a prediction, in its order; the tree is put back after each that failed. A
 * patch that none of them applies counts as applied when it can be applied in reverse.
 * @see https://github.com/SWE-bench/SWE-bench (harness, version 5)
 */
const SWE_BENCH_WAYS = [
  'git apply --verbose "$in/patch"',
  'git apply --verbose --3way "$in/patch"',
  'git apply --verbose --reject "$in/patch"',
  'patch --batch --forward --fuzz=5 -p1 -i "$in/patch"',
];

const APPLY_AS_SWE_BENCH = `
try() {
  ${SWE_BENCH_WAYS.map((way) => `${way} && return; git checkout -- . ; git clean -fd`).join('\n  ')}
  git apply --check --reverse "$in/patch"
}
try > "$in/why" 2>&1 || stop refused "$(grep '^error:' "$in/why" | head -n 1)"
`;

const APPLY = { exact: APPLY_EXACTLY, 'swe-bench': APPLY_AS_SWE_BENCH };

/** Git with an environment of its own, where the workspace has no say in what it does. */
function gitProgram(sandbox: Sandbox, { applyWith, workdir }: Task): string {
  // Without a ceiling, git would look for a repository above and apply the patch relative to that.
  const ceiling = sandbox.path(workdir).replace(/\/[^/]+$/, '') || '/';
  const env = { ...gitEnv(sandbox), ...(applyWith === 'exact' ? { GIT_CEILING_DIRECTORIES: ceiling } : {}) };
  const words = Object.entries(env).map(([name, value]) => quoted(`${name}=${value}`));
  const git = applyWith === 'exact' ? sandbox.program('git') : 'git';
  return `#!/bin/sh\nexec env -i ${words.join(' ')} ${quoted(git)} "$@"\n`;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** What `git apply --numstat -z` says of a patch as it was read here: lines added and removed, and the name after the change. */
function numstatOf(patch: string): string {
  const parsed = parsePatch(patch);
  if ('defect' in parsed) return '';
  return parsed.files
    .map(({ newPath, oldPath, text }) => `${linesWith('+', text)}\t${linesWith('-', text)}\t${newPath ?? oldPath}\0`)
    .join('');
}

/** Lines of a file's hunks that begin with a mark. */
function linesWith(mark: '+' | '-', text: string): number {
  const hunks = text.slice(Math.max(0, text.search(/^@@ /m)));
  return hunks.startsWith('@@ ') ? hunks.split('\n').filter((line) => line.startsWith(mark)).length : 0;
}

function protectedFiles(task: Task): TaskFile[] {
  const places = task.protected.map((path) => path.replace(/\/+$/, ''));
  return task.workspace.filter((file) =>
    places.some((place) => file.path === place || file.path.startsWith(`${place}/`)),
  );
}

function under(folder: string, files: readonly TaskFile[]): TaskFile[] {
  return files.map((file) => ({ ...file, path: `${folder}/${file.path}` }));
}

function textFile(path: string, text: string, executable = false): TaskFile {
  return { path, bytes: new TextEncoder().encode(text), executable };
}
