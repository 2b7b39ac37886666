import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listSuites, openSuite, SuiteError } from '#benchmarks/suite.ts';
import { writeTaskLines } from '#benchmarks/suite-file.ts';
import { aFile, aTask } from './a-task.ts';

let shelf: string;
beforeAll(async () => {
  shelf = await mkdtemp(join(tmpdir(), 'clade-suites-'));
});
afterAll(() => rm(shelf, { recursive: true }));

const manifest = {
  id: 'one',
  title: 'One',
  image: 'clade/base:1',
  test: { command: ['node', '--test'], report: 'tap' },
};
const good: Record<string, string> = {
  'suite.json': '{"title": "Mine"}',
  'one/task.json': JSON.stringify(manifest),
  'one/instruction.md': 'Do it.',
  'one/workspace/src/a.js': '1\n',
  'one/hidden/a.test.js': 'test\n',
  'one/reference.patch': '--- a/src/a.js\n+++ b/src/a.js\n@@ -1 +1 @@\n-1\n+2\n',
};

let count = 0;
/** A suite on the shelf: a good one, but for some files (null: left out). Gives its name. */
async function suiteWith(changes: Record<string, string | null> = {}): Promise<string> {
  count += 1;
  const name = `s${count}`;
  for (const [path, text] of Object.entries({ ...good, ...changes })) {
    if (text === null) continue;
    await mkdir(dirname(join(shelf, name, path)), { recursive: true });
    await writeFile(join(shelf, name, path), text);
  }
  return name;
}

async function errorOf(promise: Promise<unknown>): Promise<SuiteError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SuiteError);
  return error as SuiteError; // Proved by the line above.
}

test('opens a suite of the shelf by name, or any suite by its path', async () => {
  const name = await suiteWith();
  const suite = await openSuite(name, { shelf });
  expect(suite).toMatchObject({
    name,
    title: 'Mine',
    excluded: [],
    tasks: [{ id: 'one', protected: [], resources: { gpus: 0 } }],
  });
  const [task] = suite.tasks;
  expect(task?.test).toEqual({ command: ['node', '--test'], report: 'tap', timeoutMs: 60_000, env: {} });
  expect(task?.workspace.map(({ path }) => path)).toEqual(['src/a.js']);
  expect(task?.hiddenTests.map(({ path }) => path)).toEqual(['a.test.js']);
  expect((await openSuite(join(shelf, name), { shelf: '/nowhere' })).digest).toBe(suite.digest);
});

test('what is in the folder "shared" belongs to every task, unless it has the same itself', async () => {
  const name = await suiteWith({
    'shared/workspace/src/a.js': '5\n',
    'shared/workspace/check.sh': 'true\n',
    'shared/hidden/grade.sh': 'true\n',
    'two/task.json': JSON.stringify({ ...manifest, id: 'two' }),
    'two/instruction.md': 'Do it.',
    'two/hidden/grade.sh': 'false\n',
  });
  const { tasks } = await openSuite(name, { shelf });
  const filesOf = (files: { path: string; bytes: Uint8Array }[] = []) =>
    Object.fromEntries(files.map(({ path, bytes }) => [path, new TextDecoder().decode(bytes)]));
  expect(tasks.map(({ id }) => id)).toEqual(['one', 'two']);
  expect(tasks.map(({ workspace }) => filesOf(workspace))).toEqual([
    { 'check.sh': 'true\n', 'src/a.js': '1\n' },
    { 'check.sh': 'true\n', 'src/a.js': '5\n' },
  ]);
  expect(tasks.map(({ hiddenTests }) => filesOf(hiddenTests))).toEqual([
    { 'a.test.js': 'test\n', 'grade.sh': 'true\n' },
    { 'grade.sh': 'false\n' },
  ]);
});

test('keeps what is executable executable', async () => {
  const name = await suiteWith({ 'one/workspace/run.sh': '#!/bin/sh\n' });
  await chmod(join(shelf, name, 'one/workspace/run.sh'), 0o755);
  const [task] = (await openSuite(name, { shelf })).tasks;
  expect(task?.workspace.map(({ path, executable }) => [path, executable])).toEqual([
    ['run.sh', true],
    ['src/a.js', false],
  ]);
});

describe('says what is wrong and what to do when', () => {
  const second = { 'two/task.json': JSON.stringify(manifest), 'two/instruction.md': 'x', 'two/workspace/b': 'b' };
  const cases: [string, Record<string, string | null>, RegExp][] = [
    ['there is no suite.json', { 'suite.json': null }, /suite\.json cannot be read \(ENOENT\): a suite needs one/],
    ['suite.json is not JSON', { 'suite.json': '{' }, /suite\.json is not JSON .*: correct it there/],
    [
      'a manifest is missing',
      { 'one/task.json': null },
      /one\/task\.json cannot be read \(ENOENT\): every folder of a suite/,
    ],
    ['a manifest is not JSON', { 'one/task.json': '{"id": }' }, /one\/task\.json is not JSON/],
    ['a manifest lacks a field', { 'one/task.json': '{"id": "one"}' }, /one\/task\.json does not fit: .*title/],
    [
      'a manifest has a field too many',
      { 'one/task.json': JSON.stringify({ ...manifest, colour: 1 }) },
      /does not fit: .*colour/,
    ],
    [
      'an id has a slash',
      { 'one/task.json': JSON.stringify({ ...manifest, id: '../x' }) },
      /letters, digits, dot, dash and underscore/,
    ],
    ['two tasks share an id', second, /has two tasks with the id one: give one of them another/],
    [
      'the instruction is missing',
      { 'one/instruction.md': null },
      /instruction\.md cannot be read \(ENOENT\): write there/,
    ],
    ['the workspace is empty', { 'one/workspace/src/a.js': null }, /workspace holds no files: put there/],
    ['the patch is none', { 'one/reference.patch': 'hello' }, /reference\.patch does not apply .*: it changes no file/],
    [
      'the patch does not fit',
      { 'one/workspace/src/a.js': '7\n' },
      /reference\.patch does not apply .*hunk at line 1 of src\/a\.js/,
    ],
    [
      'there are no tasks',
      Object.fromEntries(Object.keys(good).flatMap((path) => (path.startsWith('one') ? [[path, null]] : []))),
      /has no tasks: a task is a folder/,
    ],
    ['a line of tasks.jsonl is broken', { 'tasks.jsonl': '\n{"id": "x"}\n' }, /tasks\.jsonl, line 1, does not fit/],
  ];
  test.each(cases)('%s', async (_, changes, message) => {
    const name = await suiteWith(changes);
    const error = await errorOf(openSuite(name, { shelf }));
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
    expect(error.message).toContain(join(shelf, name));
  });

  test('a workspace holds a link', async () => {
    const name = await suiteWith();
    await symlink('/etc/passwd', join(shelf, name, 'one/workspace/link'));
    expect((await errorOf(openSuite(name, { shelf }))).message).toMatch(/link is not a regular file: replace it/);
  });

  test('a workspace holds a git directory', async () => {
    const name = await suiteWith({ 'one/workspace/.git/config': '' });
    expect((await errorOf(openSuite(name, { shelf }))).message).toMatch(/\.git is a git directory: remove it/);
  });

  test('there is no such suite', async () => {
    expect((await errorOf(openSuite('nope', { shelf }))).message).toMatch(
      /There is no suite nope: choose one of katas, /,
    );
    expect((await errorOf(openSuite('./nope', { shelf }))).message).toMatch(/There is no suite \.\/nope/);
    expect((await errorOf(openSuite('../nope', { shelf }))).message).toMatch(/There is no suite/);
  });
});

test('a suite written as lines reads as the same suite', async () => {
  const binary = { path: 'b.bin', bytes: new Uint8Array([0, 255, 254, 10]), executable: true };
  const tasks = [aTask({ workspace: [aFile('a.js', 'é\r\n'), binary] })];
  const suite = { name: 'lines', title: 'Lines', digest: '', tasks, excluded: [{ id: 'x', reason: 'y' }] };
  await writeTaskLines(join(shelf, 'new'), suite);
  const first = await openSuite('lines', { shelf: join(shelf, 'new') });
  expect(first.excluded).toEqual(suite.excluded);
  expect(first.tasks[0]?.workspace.map(({ bytes }) => [...bytes])).toEqual(
    tasks[0]?.workspace.map(({ bytes }) => [...bytes]),
  );
  await writeTaskLines(join(shelf, 'new'), { ...suite, tasks: [aTask({ id: 'other' })] });
  expect((await openSuite('lines', { shelf: join(shelf, 'new') })).tasks.map(({ id }) => id)).toEqual(['other']);
  expect(await readdir(join(shelf, 'new'))).toEqual(['lines']);
});

test('a shelf that cannot be written is an error that says so', async () => {
  await writeFile(join(shelf, 'a-file'), '');
  const suite = { name: 'x', title: 'X', digest: '', tasks: [aTask()], excluded: [] };
  const error = await errorOf(writeTaskLines(join(shelf, 'a-file'), suite));
  expect(error.message).toMatch(/a-file\/x cannot be written \((EEXIST|ENOTDIR)\): make .*a-file a writable folder/);
});

test('lists built-in suites and those of the shelf', async () => {
  const place = join(shelf, 'listed');
  await writeTaskLines(place, { name: 'mine', title: 'My own', digest: '', tasks: [aTask()], excluded: [] });
  expect(await listSuites({ shelf: place })).toEqual([
    { name: 'katas', title: expect.stringContaining('Katas'), builtin: true, tasks: 16 },
    { name: 'kernels', title: expect.stringContaining('Kernels'), builtin: true, tasks: 11 },
    { name: 'mine', title: 'My own', builtin: false, tasks: 1 },
  ]);
  expect(await listSuites({ shelf: '/nowhere' })).toHaveLength(2);
});
