import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Archive, openArchive } from '#archive/archive.ts';
import { createRun, id, temporaryDirectory, writeFiles } from './builders.ts';

const files = { 'main.ts': 'one\ntwo\nthree\n', 'lib/deep/tool.ts': 'export {};\n' };

describe('the lineage in git', () => {
  it('shows as a graph with one line for each agent', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const { id: run } = createRun(archive);
    const seed = await seedOf(archive, directory.path);
    const first = await child(archive, seed.commit, 'a', 'Read files in ranges');
    const second = await child(archive, seed.commit, 'b', 'Search before editing');
    const third = await child(archive, first, 'c', `Retry\nafter \u001b[31mfailure ${'x'.repeat(100)}`);
    const commits = [seed.commit, first, second, third];
    for (const [i, commit] of commits.entries()) await archive.repository.setAgentRef(`${run}-a${i + 1}`, commit);
    const graph = gitIn(archive, ['log', '--graph', '--all', '--oneline', '--no-color']);
    expect(
      graph
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/[0-9a-f]{7,} /, '')),
    ).toEqual([
      `* Retry after [31mfailure ${'x'.repeat(47)}…`,
      '* Read files in ranges',
      '| * Search before editing',
      '|/  ',
      '* The seed agent',
    ]);
    expect(gitIn(archive, ['log', '-1', '--format=%an <%ae> %ad', '--date=iso-strict', second])).toMatch(
      /^Clade <clade@localhost> 2023-/,
    );
  });

  it('has the same ids for the same history, wherever and whenever it is made', async () => {
    using directory = temporaryDirectory();
    const commits: string[][] = [];
    for (const home of ['one', 'two']) {
      await using archive = await openArchive(join(directory.path, home));
      const seed = await seedOf(archive, join(directory.path, `${home}-seed`));
      const first = await child(archive, seed.commit, 'a', 'First');
      commits.push([
        seed.commit,
        seed.tree,
        first,
        await child(archive, first, 'b', 'Second'),
        await child(archive, first, 'b', 'Second'),
      ]);
    }
    expect(commits[0]).toEqual(commits[1]);
    expect(commits[0]![3]).toBe(commits[0]![4]);
  });

  it('gives an agent its source as a tar archive that depends on the source alone', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    chmodSync(join(writeFiles(join(directory.path, 'seed'), { ...files, 'run.sh': 'echo hi\n' }), 'run.sh'), 0o755);
    const { commit, tree } = await archive.repository.commitSeed(join(directory.path, 'seed'));
    const tar = await archive.repository.sourceTar(commit);
    expect(Buffer.from(await archive.repository.sourceTar(tree)).equals(tar)).toBe(true);
    writeFileSync(join(directory.path, 'source.tar'), tar);
    const listed = execFileSync('tar', ['--utc', '-tvf', join(directory.path, 'source.tar')], { encoding: 'utf8' });
    expect(listed).toMatch(/-rwxr-xr-x .* 1970-01-01 00:00 run\.sh/);
    expect(listed).toMatch(/-rw-r--r-- .* 1970-01-01 00:00 lib\/deep\/tool\.ts/);
    expect(await archive.repository.files(tree)).toEqual([
      { path: 'lib/deep/tool.ts', bytes: 11 },
      { path: 'main.ts', bytes: 14 },
      { path: 'run.sh', bytes: 8 },
    ]);
  });

  it('tells what changed from one agent to another as a patch that applies', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const seed = await seedOf(archive, directory.path);
    const staged = await archive.repository.stage({ parentCommit: seed.commit, patch: edit('two', 'zwei') });
    const diff = await archive.repository.diff(seed.tree, 'tree' in staged ? staged.tree : '');
    expect(diff).toContain('-two\n+zwei\n');
    expect(await archive.repository.stage({ parentCommit: seed.commit, patch: diff })).toEqual(staged);
  });
});

describe('a patch of an agent', () => {
  it('becomes a tree, and leaves neither worktree nor file behind', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const seed = await seedOf(archive, directory.path);
    const patches = Array.from({ length: 8 }, (_, i) => added(`new-${i}.ts`, 'text'));
    const staged = await Promise.all(
      patches.map((patch) => archive.repository.stage({ parentCommit: seed.commit, patch })),
    );
    expect(new Set(staged.map((one) => ('tree' in one ? one.tree : one.detail))).size).toBe(8);
    expect(staged.every((one) => 'tree' in one)).toBe(true);
    expect(readdirSync(join(archive.home, 'worktrees'))).toEqual([]);
    expect(gitIn(archive, ['worktree', 'list']).trim().split('\n')).toHaveLength(1);
  });

  it.each([
    ['nothing', 'empty', ''],
    ['a change to what is there already', 'empty', edit('two', 'two')],
    ['no patch at all', 'does-not-apply', 'I have improved the agent.'],
    ['a hunk that does not fit', 'does-not-apply', edit('nine', 'ten')],
    ['a new file where one is', 'does-not-apply', added('main.ts', 'x')],
    ['a symbolic link', 'forbidden-path', added('link', '/etc/passwd', '120000')],
    ['a submodule', 'forbidden-path', added('sub', `Subproject commit ${id('x')}`, '160000')],
    ['git attributes', 'forbidden-path', added('.gitattributes', '* filter=evil')],
    ['git attributes further down', 'forbidden-path', added('lib/.gitattributes', '* filter=evil')],
    ['a git directory', 'forbidden-path', added('lib/.git/config', '[core]')],
    ['a git directory in other letters', 'forbidden-path', added('.GIT/config', '[core]')],
    ['modules of git', 'forbidden-path', added('.gitmodules', 'x')],
    ['a path out of the source', 'forbidden-path', added('../../evil', 'x')],
    ['an escape in a name', 'forbidden-path', added('"a\\033[31mb"', 'x')],
    ['a line feed in a name', 'forbidden-path', added('"a\\nb"', 'x')],
    [
      'a binary file',
      'forbidden-path',
      `diff --git a/x.bin b/x.bin\nnew file mode 100644\nindex 0000000..1111111\nGIT binary patch\nliteral 1\nIcmZPo000310RR91\n\n`,
    ],
    [
      'a binary file without its bytes',
      'forbidden-path',
      'diff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n',
    ],
    ['3 MiB', 'too-large', added('big.txt', 'x'.repeat(3 * 1024 * 1024))],
    ['201 files', 'too-large', Array.from({ length: 201 }, (_, i) => added(`f${i}`, 'x')).join('')],
  ] as const)('is refused when it holds %s', async (_, rejected, patch) => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const seed = await seedOf(archive, directory.path);
    const staged = await archive.repository.stage({ parentCommit: seed.commit, patch });
    expect(staged).toMatchObject({ rejected });
    expect('detail' in staged && staged.detail).toMatch(/^[\x20-\x7e]+$/);
    expect(readdirSync(join(archive.home, 'worktrees'))).toEqual([]);
    expect(existsSync(join(directory.path, 'evil'))).toBe(false);
  });

  it('cannot make anything of ours run, not even with filters and hooks configured around it', async () => {
    using directory = temporaryDirectory();
    const trap = join(directory.path, 'sprung');
    const script = join(writeFiles(directory.path, { 'trap.sh': `#!/bin/sh\ntouch ${trap}\ncat\n` }), 'trap.sh');
    chmodSync(script, 0o755);
    const home = join(directory.path, 'home');
    await using archive = await openArchive(home);
    const seed = await seedOf(archive, directory.path);
    writeFiles(join(home, 'agents.git'), {
      'hooks/post-checkout': `#!/bin/sh\ntouch ${trap}\n`,
      'hooks/reference-transaction': `#!/bin/sh\ntouch ${trap}\n`,
    });
    for (const hook of ['post-checkout', 'reference-transaction'])
      chmodSync(join(home, 'agents.git/hooks', hook), 0o755);
    writeFiles(directory.path, { attributes: '* filter=trap diff=trap\n' });
    for (const [key, value] of [
      ['filter.trap.clean', script],
      ['filter.trap.smudge', script],
      ['core.attributesFile', join(directory.path, 'attributes')],
    ]) {
      execFileSync('git', ['config', key!, value!], { cwd: join(home, 'agents.git') });
    }
    const attributes = added('.gitattributes', '* filter=trap');
    expect(
      await archive.repository.stage({ parentCommit: seed.commit, patch: attributes + edit('two', 'zwei') }),
    ).toMatchObject({ rejected: 'forbidden-path' });
    const staged = await archive.repository.stage({ parentCommit: seed.commit, patch: edit('two', 'zwei') });
    expect(staged).toHaveProperty('tree');
    await archive.repository.diff(seed.tree, 'tree' in staged ? staged.tree : '');
    await archive.repository.setAgentRef('r000000-a1', seed.commit);
    expect(existsSync(trap)).toBe(false);
  });

  it('is given up when its job is', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const seed = await seedOf(archive, directory.path);
    const staged = archive.repository.stage({
      parentCommit: seed.commit,
      patch: edit('two', 'zwei'),
      signal: AbortSignal.abort(),
    });
    await expect(staged).rejects.toThrow(/abort/i);
    expect(readdirSync(join(archive.home, 'worktrees'))).toEqual([]);
  });
});

describe('a seed agent', () => {
  it.each([
    ['a link', (at: string) => symlinkSync('/etc/passwd', join(at, 'link'))],
    ['a file of git', (at: string) => writeFileSync(join(at, '.gitattributes'), '')],
  ])('with %s is refused', async (_, spoil) => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const seed = writeFiles(join(directory.path, 'seed'), files);
    spoil(seed);
    await expect(archive.repository.commitSeed(seed)).rejects.toThrow(/cannot be a seed agent/);
  });
});

describe('after a crash', () => {
  it('left-over worktrees go, and agents without a ref get one', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const seed = await seedOf(archive, directory.path);
    const run = createRun(archive, seed);
    const left = join(archive.home, 'worktrees', 'left');
    gitIn(archive, ['worktree', 'add', '--detach', left, seed.commit]);
    mkdirSync(join(archive.home, 'worktrees', 'half'));
    writeFileSync(join(archive.home, 'worktrees', 'half.patch'), 'x');
    for (const _ of [1, 2]) await archive.repository.reconcile();
    expect(readdirSync(join(archive.home, 'worktrees'))).toEqual([]);
    expect(gitIn(archive, ['worktree', 'list']).trim().split('\n')).toHaveLength(1);
    expect(gitIn(archive, ['rev-parse', `refs/agents/${run.id}-a1`]).trim()).toBe(seed.commit);
  });

  it('that killed git as well, its locks hold nothing up', async () => {
    using directory = temporaryDirectory();
    const first = await openArchive(join(directory.path, 'home'));
    const seed = await seedOf(first, directory.path);
    const run = createRun(first, seed);
    await first[Symbol.asyncDispose]();
    const locks = ['HEAD.lock', 'config.lock', 'packed-refs.lock', `refs/agents/${run.id}-a1.lock`];
    const bare = writeFiles(
      join(directory.path, 'home', 'agents.git'),
      Object.fromEntries(locks.map((path) => [path, ''])),
    );
    await using second = await openArchive(join(directory.path, 'home'));
    await second.repository.reconcile();
    expect(gitIn(second, ['rev-parse', `refs/agents/${run.id}-a1`]).trim()).toBe(seed.commit);
    expect(locks.filter((path) => existsSync(join(bare, path)))).toEqual([]);
  });

  it('leaves a git alone that lived on and ends by itself', async () => {
    using directory = temporaryDirectory();
    const first = await openArchive(join(directory.path, 'home'));
    const seed = await seedOf(first, directory.path);
    await first[Symbol.asyncDispose]();
    const ref = 'refs/agents/r000000-a1';
    const git = startedIn(first, ['update-ref', '--stdin']);
    git.stdin.write(`start\nupdate ${ref} ${seed.commit}\nprepare\n`);
    await waitFor(() => existsSync(join(first.home, 'agents.git', `${ref}.lock`)));
    const ended = once(git, 'close');
    const opening = openArchive(first.home);
    await sleep(100);
    git.stdin.end('commit\n');
    await using second = await opening;
    expect(await ended).toEqual([0, null]);
    expect(gitIn(second, ['rev-parse', ref]).trim()).toBe(seed.commit);
  });

  it('in which git had locked a worktree that it was making, the worktree goes all the same', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const seed = await seedOf(archive, directory.path);
    gitIn(archive, ['worktree', 'add', '--detach', join(archive.home, 'worktrees', 'half'), seed.commit]);
    writeFileSync(join(archive.home, 'agents.git/worktrees/half/locked'), 'initializing');
    await archive.repository.reconcile();
    expect(gitIn(archive, ['worktree', 'list']).trim().split('\n')).toHaveLength(1);
    expect(readdirSync(join(archive.home, 'worktrees'))).toEqual([]);
  });

  it.each([['objects'], ['refs'], ['config'], ['HEAD'], ['objects', 'refs', 'config']])(
    'in the making of the repository, what is missing of it is made: %s',
    async (...missing) => {
      using directory = temporaryDirectory();
      await (await openArchive(join(directory.path, 'home')))[Symbol.asyncDispose]();
      for (const part of missing) rmSync(join(directory.path, 'home', 'agents.git', part), { recursive: true });
      await using archive = await openArchive(join(directory.path, 'home'));
      const seed = await seedOf(archive, directory.path);
      expect(gitIn(archive, ['cat-file', '-t', seed.commit]).trim()).toBe('commit');
      await archive.repository.reconcile();
    },
  );
});

async function seedOf(archive: Archive, directory: string): Promise<{ commit: string; tree: string }> {
  return archive.repository.commitSeed(writeFiles(join(directory, 'seed'), files));
}

async function child(archive: Archive, parentCommit: string, name: string, summary: string): Promise<string> {
  const staged = await archive.repository.stage({ parentCommit, patch: added(name, name) });
  if (!('tree' in staged)) throw new Error(staged.detail);
  return (
    await archive.repository.commit({ parentCommit, tree: staged.tree, summary, body: 'Why.', ordinal: summary.length })
  ).commit;
}

function edit(from: string, to: string): string {
  return `diff --git a/main.ts b/main.ts\n--- a/main.ts\n+++ b/main.ts\n@@ -1,3 +1,3 @@\n one\n-${from}\n+${to}\n three\n`;
}

/** A patch that adds a file of one line; a name in quotes is written as git quotes odd ones. */
function added(path: string, line: string, mode = '100644'): string {
  const side = (letter: string) => (path.startsWith('"') ? `"${letter}/${path.slice(1)}` : `${letter}/${path}`);
  return `diff --git ${side('a')} ${side('b')}\nnew file mode ${mode}\n--- /dev/null\n+++ ${side('b')}\n@@ -0,0 +1 @@\n+${line}\n`;
}

function startedIn(archive: Archive, args: string[]): ChildProcessWithoutNullStreams {
  return spawn('git', args, { cwd: join(archive.home, 'agents.git') });
}

async function waitFor(happened: () => boolean): Promise<void> {
  while (!happened()) await sleep(5);
}

/** What an operator sees who runs plain git there. */
function gitIn(archive: Archive, args: string[]): string {
  return execFileSync('git', args, { cwd: join(archive.home, 'agents.git'), encoding: 'utf8' });
}
