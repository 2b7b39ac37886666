import { randomUUID } from 'node:crypto';
import { glob, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Refusal, refuseNumstat, refusePatchText, refuseTree } from './patch-rules.ts';
import { plainTar } from './plain-tar.ts';
import { GitRefused, git } from './repository-git.ts';
import type { AgentId } from './schema.ts';

/** A would-be child: where it starts from, what it is, and how the lineage will call it. */
export interface ChildCommit {
  parentCommit: string;
  tree: string;
  /** One line, cut to 72 characters; what `git log --oneline` shows. */
  summary: string;
  body: string;
  /** The child's number in its run; its dates are counted from it, so that the same history has the same ids. */
  ordinal: number;
}

/**
 * The agents as commits of one bare repository; a child's git parent is the agent it was bred from. Patches are applied in
 * worktrees that this class makes and that no sandbox ever sees.
 */
export class Repository {
  readonly #directory: string;
  readonly #worktrees: string;
  readonly #agents: () => { id: AgentId; commit: string }[];
  readonly #tars = new Map<string, Uint8Array>();
  #turn: Promise<unknown> = Promise.resolve();

  /** `agents` lists the agents of all runs, for `reconcile`. */
  constructor(home: string, agents: () => { id: AgentId; commit: string }[]) {
    this.#directory = join(home, 'agents.git');
    this.#worktrees = join(home, 'worktrees');
    this.#agents = agents;
  }

  /**
   * Makes the repository, or completes one whose making was interrupted, and removes the locks of git processes that were
   * killed with an earlier owner. Only for the owner of the data directory, before it does anything else here.
   */
  async create(): Promise<void> {
    await mkdir(this.#worktrees, { recursive: true });
    await mkdir(this.#directory, { recursive: true });
    await removeLocks(this.#directory);
    await git(this.#directory, ['init', '--quiet', '--bare', '--initial-branch=main', '.']);
  }

  /** Commits the files of a directory as a first agent. The same files give the same ids. */
  async commitSeed(directory: string): Promise<{ commit: string; tree: string }> {
    const files = await regularFiles(directory);
    const refusal = refuseTree(files);
    if (refusal) throw new Error(`${directory} cannot be a seed agent. ${refusal.detail}`);
    const stdin = files.map((file) => `${join(directory, file.path)}\n`).join('');
    const hashed = await git(this.#directory, ['hash-object', '-w', '--no-filters', '--stdin-paths'], { stdin });
    const blobs = hashed.trim().split('\n');
    const tree = await this.#writeTree(files.map(({ path, mode }, i) => `${mode} ${blobs[i]}\t${path}\n`).join(''));
    const commit = await this.#commitTree(tree, [], 'The seed agent', 0);
    return { commit, tree };
  }

  /** Applies a patch to an agent's source in a worktree of its own and says what tree comes out, or why it is refused. */
  async stage(given: {
    parentCommit: string;
    patch: string;
    signal?: AbortSignal;
  }): Promise<{ tree: string } | Refusal> {
    const refusal = refusePatchText(given.patch);
    if (refusal) return refusal;
    const name = randomUUID();
    const patchFile = join(this.#worktrees, `${name}.patch`);
    const worktree = join(this.#worktrees, name);
    try {
      await writeFile(patchFile, given.patch);
      const parent = objectId(given.parentCommit);
      await this.#alone(() => git(this.#directory, ['worktree', 'add', '--quiet', '--detach', worktree, parent]));
      return await apply({ worktree, patchFile, parent, signal: given.signal });
    } finally {
      await rm(patchFile, { force: true });
      await this.#alone(() => this.#removeWorktree(worktree));
    }
  }

  /** Makes the commit of a child. Doing it again gives the same commit. */
  async commit({ parentCommit, tree, summary, body, ordinal }: ChildCommit): Promise<{ commit: string }> {
    const message = body.trim() === '' ? oneLine(summary) : `${oneLine(summary)}\n\n${body.trim()}`;
    return { commit: await this.#commitTree(objectId(tree), ['-p', objectId(parentCommit)], message, ordinal) };
  }

  /** Points `refs/agents/<id>` at the agent's commit. Doing it again changes nothing. */
  async setAgentRef(agentId: AgentId, commit: string): Promise<void> {
    await git(this.#directory, ['update-ref', `refs/agents/${agentId}`, objectId(commit)]);
  }

  /** The source as a tar archive; the same tree gives the same bytes, whenever and from whatever commit it is asked. */
  async sourceTar(treeish: string): Promise<Uint8Array> {
    const known = this.#tars.get(treeish);
    if (known) return known;
    const file = join(this.#worktrees, `${randomUUID()}.tar`);
    try {
      await git(this.#directory, ['archive', '--format=tar', '-o', file, `${objectId(treeish)}^{tree}`]);
      const tar = plainTar(await readFile(file));
      this.#remember(treeish, tar);
      return tar;
    } finally {
      await rm(file, { force: true });
    }
  }

  /** What changed from one tree or commit to another, as a patch. */
  async diff(fromTreeish: string, toTreeish: string): Promise<string> {
    const plain = ['--no-color', '--no-ext-diff', '--no-textconv', '--no-renames', '--full-index'];
    return git(this.#directory, ['diff', ...plain, objectId(fromTreeish), objectId(toTreeish)]);
  }

  async files(treeish: string): Promise<{ path: string; bytes: number }[]> {
    const listed = await git(this.#directory, ['ls-tree', '-r', '-l', '-z', '--full-tree', objectId(treeish)]);
    return listed.split('\0').filter(Boolean).map(treeEntry);
  }

  /** After a crash: removes worktrees that were left behind and gives every agent of the archive its ref. */
  async reconcile(): Promise<void> {
    await this.#alone(async () => {
      await rm(this.#worktrees, { recursive: true, force: true });
      await mkdir(this.#worktrees, { recursive: true });
      // Pruning would keep those that git had locked while it made them.
      await rm(join(this.#directory, 'worktrees'), { recursive: true, force: true });
    });
    const listed = await git(this.#directory, [
      'for-each-ref',
      '--format=%(refname:lstrip=2) %(objectname)',
      'refs/agents/',
    ]);
    const refs = new Set(listed.split('\n'));
    const missing = this.#agents().filter(({ id, commit }) => !refs.has(`${id} ${commit}`));
    if (missing.length === 0) return;
    const stdin = missing.map(({ id, commit }) => `update refs/agents/${id} ${objectId(commit)}\n`).join('');
    await git(this.#directory, ['update-ref', '--stdin'], { stdin });
  }

  async #writeTree(indexInfo: string): Promise<string> {
    const index = join(this.#worktrees, `${randomUUID()}.index`);
    try {
      const env = { GIT_INDEX_FILE: index };
      await git(this.#directory, ['update-index', '--index-info'], { env, stdin: indexInfo });
      return (await git(this.#directory, ['write-tree'], { env })).trim();
    } finally {
      await rm(index, { force: true });
    }
  }

  async #commitTree(tree: string, parents: string[], message: string, ordinal: number): Promise<string> {
    const args = ['commit-tree', '--no-gpg-sign', ...parents, '-F', '-', tree];
    return (await git(this.#directory, args, { env: identity(ordinal), stdin: `${message}\n` })).trim();
  }

  async #removeWorktree(worktree: string): Promise<void> {
    await rm(worktree, { recursive: true, force: true });
    await git(this.#directory, ['worktree', 'prune', '--expire=now']);
  }

  /** One at a time: git's list of worktrees is not safe against adding and pruning at once. */
  #alone<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(body);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  #remember(treeish: string, tar: Uint8Array): void {
    const oldest = this.#tars.size < 32 ? undefined : this.#tars.keys().next().value;
    if (oldest !== undefined) this.#tars.delete(oldest);
    this.#tars.set(treeish, tar);
  }
}

async function apply(given: {
  worktree: string;
  patchFile: string;
  parent: string;
  signal?: AbortSignal;
}): Promise<{ tree: string } | Refusal> {
  const { worktree, patchFile, parent, signal } = given;
  const base = ['apply', '--whitespace=nowarn'];
  try {
    const refusal = refuseNumstat(await git(worktree, [...base, '--numstat', '-z', patchFile], { signal }));
    if (refusal) return refusal;
    await git(worktree, [...base, '--index', patchFile], { signal });
  } catch (error) {
    if (!(error instanceof GitRefused)) throw error;
    return { rejected: 'does-not-apply', detail: firstLine(error.message) };
  }
  const refusal = refuseTree(await regularFiles(worktree));
  if (refusal) return refusal;
  const tree = (await git(worktree, ['write-tree'], { signal })).trim();
  const unchanged = (await git(worktree, ['rev-parse', `${parent}^{tree}`], { signal })).trim();
  return tree === unchanged ? { rejected: 'empty', detail: 'The patch changes nothing.' } : { tree };
}

/**
 * Removes the lock files of git processes that live no more. One that is still there after a while has no process: those that
 * outlive the service which started them end within moments, and nobody else works here.
 */
async function removeLocks(directory: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < lastGitMs && (await locks(directory)).length > 0; waitedMs += 50) await sleep(50);
  for (const lock of await locks(directory)) await rm(lock, { force: true });
}

/** How long a git process may go on after its service was killed. */
const lastGitMs = 1_000;

/** All lock files but those among loose objects, which git makes without. */
async function locks(directory: string): Promise<string[]> {
  const exclude = (path: string) => /^objects\/[0-9a-f]{2}$/.test(path);
  return (await Array.fromAsync(glob('**/*.lock', { cwd: directory, exclude }))).map((path) => join(directory, path));
}

/** Every file below a directory, sorted; what is neither file nor directory gets a mode of its own kind. */
async function regularFiles(root: string): Promise<{ path: string; mode: string; bytes: number }[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const found = entries.map(async (entry) => {
    const file = join(entry.parentPath, entry.name);
    const path = relative(root, file);
    if (path === '.git' || entry.isDirectory()) return [];
    const stats = await lstat(file);
    const mode = stats.isFile()
      ? stats.mode & 0o100
        ? '100755'
        : '100644'
      : stats.isSymbolicLink()
        ? '120000'
        : 'special';
    return [{ path, mode, bytes: stats.size }];
  });
  return (await Promise.all(found)).flat().sort((a, b) => (a.path < b.path ? -1 : 1));
}

function treeEntry(entry: string): { path: string; bytes: number } {
  const tab = entry.indexOf('\t');
  return { path: entry.slice(tab + 1), bytes: Number(entry.slice(0, tab).trim().split(/\s+/)[3]) };
}

const firstCommitSeconds = 1_700_000_000;

function identity(ordinal: number): Record<string, string> {
  const date = `@${firstCommitSeconds + ordinal} +0000`;
  return {
    GIT_AUTHOR_NAME: 'Clade',
    GIT_AUTHOR_EMAIL: 'clade@localhost',
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: 'Clade',
    GIT_COMMITTER_EMAIL: 'clade@localhost',
    GIT_COMMITTER_DATE: date,
  };
}

function oneLine(summary: string): string {
  const line = summary.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  const letters = [...line];
  if (letters.length === 0) return 'A change without a title';
  return letters.length <= 72 ? line : `${letters.slice(0, 71).join('')}…`;
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}

/** Only full object ids reach git, so that no name can be taken for an option or another ref. */
function objectId(id: string): string {
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(id))
    throw new Error(`${JSON.stringify(id)} is not the id of a git object.`);
  return id;
}
