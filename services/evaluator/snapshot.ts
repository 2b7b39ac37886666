import { maxPatchBytes } from '#archive/patch-rules.ts';
import type { ExecResult, Sandbox } from '#sandbox/sandbox.ts';
import type { TarEntry } from '#sandbox/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import { baseCommitDate, baseRepositoryFiles } from './base-repository.ts';
import { decodePatch, type PatchDefect, parsePatch } from './patch.ts';
import { firstLine, printedText } from './transcript.ts';

/** Settings for every git process of ours in a sandbox; they win over what is configured in a repository. */
const gitConfig = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.excludesFile': '/dev/null',
  'core.attributesFile': '/dev/null',
  'core.autocrlf': 'false',
  'core.quotePath': 'true',
  'core.bigFileThreshold': '4m',
  'core.looseCompression': '0',
  'maintenance.auto': 'false',
  'safe.directory': '*',
};

/** The environment of every git process of ours in a sandbox. */
export function gitEnv(sandbox: Pick<Sandbox, 'baseEnv'>): Record<string, string> {
  const entries = Object.entries(gitConfig);
  const numbered = entries.flatMap(([key, value], at) => [
    [`GIT_CONFIG_KEY_${at}`, key],
    [`GIT_CONFIG_VALUE_${at}`, value],
  ]);
  return {
    ...sandbox.baseEnv,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_COUNT: String(entries.length),
    ...Object.fromEntries(numbered),
    LC_ALL: 'C',
  };
}

/**
 * Makes the first commit of `/workspace`, so that a solver finds a repository like any other, and keeps a copy of it at
 * `/clade/base.git`: the diff is taken from that one, whatever becomes of `/workspace/.git`.
 */
export async function commitBase(sandbox: Sandbox, signal?: AbortSignal): Promise<void> {
  await sandbox.put('/clade/base.git', emptyRepository);
  const argv = ['sh', '-c', commitScript, 'sh', sandbox.path('/workspace'), sandbox.path('/clade/base.git')];
  const env = { ...gitEnv(sandbox), ...identity };
  const result = await sandbox.exec(argv, { cwd: '/clade', env, deadlineMs: Date.now() + 60_000, signal });
  if (result.exitCode !== 0) throw new Error(`The base commit of a workspace failed: ${whyFailed(result)}`);
}

/** `leftOut`: new binary files, which are no part of the patch. */
export type TakenPatch =
  | { patch: string; defect: null; leftOut: string[] }
  | { patch: null; defect: PatchDefect | 'lost'; detail: string };

/**
 * The difference between a working directory and its base commit at `/clade/base.git`, taken inside the sandbox, with nothing running there any more.
 * What is ignored by the repository's own `.gitignore` files is left out, and so are repositories made inside it, what running
 * programs usually leaves behind, and new binary files.
 */
export async function takePatch(sandbox: Sandbox, workdir: string, signal?: AbortSignal): Promise<TakenPatch> {
  const argv = [
    'sh',
    '-c',
    diffScript,
    'sh',
    sandbox.path(workdir),
    sandbox.path('/clade/base.git'),
    sandbox.program('git'),
  ];
  const options = {
    cwd: '/clade',
    env: gitEnv(sandbox),
    deadlineMs: Date.now() + 60_000,
    maxOutputBytes: maxPatchBytes + 1,
    signal,
  };
  const result = await sandbox.exec(argv, options);
  if (result.stdout.cut)
    return refused({ kind: 'too-large', detail: `The patch is over ${maxPatchBytes / 1024 / 1024} MiB.` });
  if (result.exitCode !== 0)
    return { patch: null, defect: 'lost', detail: `The patch could not be taken: ${whyFailed(result)}` };
  const decoded = decodePatch(result.stdout.bytes);
  if ('defect' in decoded) return refused(decoded.defect);
  const parsed = parsePatch(decoded.text);
  if ('defect' in parsed) return refused(parsed.defect);
  const { files, leftOut } = parsed;
  return { patch: files.map((file) => file.text).join(''), defect: null, leftOut };
}

/** One line on how a program of ours failed. */
export function whyFailed(result: ExecResult): string {
  if (result.timedOut) return 'it ran out of time';
  return `exit code ${result.exitCode}${result.stderr.totalBytes > 0 ? `, ${firstLine(printedText(result.stderr))}` : ''}`;
}

function refused(defect: PatchDefect): TakenPatch {
  return { patch: null, defect, detail: defect.detail };
}

const identity = {
  GIT_AUTHOR_NAME: 'Clade',
  GIT_AUTHOR_EMAIL: 'clade@localhost',
  GIT_AUTHOR_DATE: baseCommitDate,
  GIT_COMMITTER_NAME: 'Clade',
  GIT_COMMITTER_EMAIL: 'clade@localhost',
  GIT_COMMITTER_DATE: baseCommitDate,
};

const emptyRepository = packTar(
  Object.entries({ ...baseRepositoryFiles, 'objects/info/packs': '', 'refs/heads/.keep': '' }).map(
    ([path, text]): TarEntry => ({ path, bytes: new TextEncoder().encode(text), executable: false }),
  ),
);

const commitScript = `
set -e
git --git-dir="$2" --work-tree="$1" add --all --force .
git --git-dir="$2" --work-tree="$1" commit --quiet --allow-empty --no-verify --message=Start
cp -R "$2" "$1/.git"
`;

// A workspace that the agent removed or replaced by a link counts as emptied. Repositories inside of it would be taken as
// submodules, or make git stop.
const diffScript = `
if [ ! -d "$1" ] || [ -L "$1" ]; then rm -rf "$1"; mkdir -p "$1"; fi
cd "$1" || exit 1
find . -mindepth 2 -iname .git -prune -exec rm -rf {} +
if [ -e "$2/index.lock" ]; then rm -f "$2/index.lock"; fi
"$3" --git-dir="$2" --work-tree=. add --all --ignore-errors . >&2
exec "$3" --git-dir="$2" --work-tree=. diff --cached --no-color --no-renames --no-ext-diff --no-textconv \\
  --src-prefix=a/ --dst-prefix=b/ --unified=3 --ignore-submodules=none
`;
