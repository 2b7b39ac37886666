import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { grade } from '#benchmarks/grade.ts';
import { applyPatch, parsePatch } from '#benchmarks/patch.ts';
import { parseTap } from '#benchmarks/reports/tap.ts';
import type { Ability, Suite, Task, TaskFile, TestRun } from '#benchmarks/schema.ts';
import { openSuite } from '#benchmarks/suite.ts';

const suite: Suite = await openSuite('katas', { shelf: '/nowhere' });
const ids = suite.tasks.map(({ id }) => id);
const by = (id: string): Task => suite.tasks.find((task) => task.id === id)!;
const taking = (ability: Ability) => suite.tasks.filter((task) => task.abilities.includes(ability)).map(({ id }) => id);

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'clade-katas-'));
});
afterAll(() => rm(root, { recursive: true }));

/** Runs a program over some files in a fresh folder. */
async function runOver(files: readonly TaskFile[], [program = '', ...args]: readonly string[]): Promise<TestRun> {
  const dir = await mkdtemp(join(root, 'w-'));
  for (const { path, bytes } of files) {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), bytes);
  }
  const argv0 = program === 'node' ? process.execPath : program;
  const options = { cwd: dir, env: { PATH: process.env.PATH ?? '' }, maxBuffer: 1 << 24 };
  return new Promise((resolve) => {
    const child = execFile(argv0, args, options, (_, stdout, stderr) => {
      resolve({ exitCode: child.exitCode, timedOut: false, stdout, stderr });
    });
  });
}

function visibleTests(task: Task): string[] {
  return task.test.command.map((arg) => (task.hiddenTests.some(({ path }) => path === arg) ? '' : arg)).filter(Boolean);
}

function textOf(file: TaskFile | undefined): string {
  return new TextDecoder().decode(file?.bytes);
}

function changedPaths(task: Task): string[] {
  return parsePatch(task.referencePatch ?? '').map(({ before, after }) => before ?? after ?? '');
}

/** A reference patch cut down to its first hunk. */
function firstHunk(patch: string): string {
  const starts = [...patch.matchAll(/^(?:@@ |diff --git )/gm)].map(({ index }) => index);
  return patch.slice(0, starts[2] ?? patch.length);
}

describe.each(ids)('%s', (id) => {
  const task = by(id);
  const solved = applyPatch(task.workspace, task.referencePatch ?? '');

  test('fails before and passes after, test by test', async () => {
    const [before, after] = await Promise.all([
      runOver([...task.workspace, ...task.hiddenTests], task.test.command),
      runOver([...solved, ...task.hiddenTests], task.test.command),
    ]);
    expect(grade(task, before).resolved).toBe(false);
    expect(grade(task, after)).toMatchObject({ resolved: true, y: 1 });
    const [was, is] = [parseTap(before.stdout), parseTap(after.stdout)];
    const passing = [...is].filter(([, status]) => status === 'passed').map(([name]) => name);
    expect([...is.keys()]).toEqual(passing);
    expect(passing.filter((name) => was.get(name) !== 'passed').sort()).toEqual([...task.failToPass].sort());
    expect(passing.filter((name) => was.get(name) === 'passed').sort()).toEqual([...task.passToPass].sort());
  });

  test('shows neither hidden tests nor the solution', () => {
    const hidden = task.hiddenTests.map(({ path }) => path);
    expect(hidden.length).toBeGreaterThan(0);
    expect(task.workspace.filter(({ path }) => hidden.includes(path))).toEqual([]);
    const names = task.hiddenTests.flatMap((file) =>
      [...textOf(file).matchAll(/^test\('(.+)',/gm)].map(([, name]) => name),
    );
    const shown = task.workspace.map(textOf).join('\n') + task.instruction;
    expect(names.filter((name) => shown.includes(`'${name}'`))).toEqual([]);
  });

  test('protects its visible tests and its package, and patches none of them', () => {
    const visible = task.workspace.map(({ path }) => path).filter((path) => path.endsWith('.test.js'));
    expect(visible.length).toBeGreaterThan(0);
    expect(task.protected).toEqual(expect.arrayContaining([...visible, 'package.json']));
    expect(changedPaths(task).filter((path) => task.protected.includes(path))).toEqual([]);
    expect(JSON.parse(textOf(task.workspace.find(({ path }) => path === 'package.json')))).not.toHaveProperty(
      'dependencies',
    );
  });

  test('has hunks whose old text is unique in its file', () => {
    for (const { before, hunks } of parsePatch(task.referencePatch ?? '')) {
      const text = textOf(task.workspace.find(({ path }) => path === before));
      for (const { lines } of hunks) {
        const old = lines
          .filter((line) => !line.startsWith('+'))
          .map((line) => `${line.slice(1)}\n`)
          .join('');
        expect(text.split(old).length - 1, `${before}: ${old}`).toBe(1);
      }
    }
  });
});

test('there are sixteen, of which at most 40 % take no special ability, and every ability is needed twice', () => {
  expect(ids).toHaveLength(16);
  expect(suite.tasks.filter(({ abilities }) => abilities.length === 0)).toHaveLength(5);
  const all: Ability[] = ['ranged-read', 'search', 'run-tests', 'persistence', 'recover', 'tail-output'];
  for (const ability of all) expect(taking(ability).length, ability).toBeGreaterThanOrEqual(2);
});

test('no three abilities are enough for three quarters of them', () => {
  const all: Ability[] = ['ranged-read', 'search', 'run-tests', 'persistence', 'recover', 'tail-output'];
  const share = (known: readonly Ability[]) =>
    suite.tasks.filter(({ abilities }) => abilities.every((one) => known.includes(one))).length / suite.tasks.length;
  const triples = all.flatMap((a) => all.flatMap((b) => all.map((c) => share([a, b, c]))));
  expect(Math.max(...triples)).toBeLessThan(0.75);
});

describe('a kata with', () => {
  test.each(ids.filter((id) => by(id).abilities.length === 0))('no special ability names its small file: %s', (id) => {
    const task = by(id);
    const [path = ''] = changedPaths(task);
    expect(changedPaths(task)).toHaveLength(1);
    expect(parsePatch(task.referencePatch ?? '')[0]?.hunks).toHaveLength(1);
    expect(task.instruction + task.hints.join()).toContain(path);
    expect(textOf(task.workspace.find((file) => file.path === path)).length).toBeLessThan(4_000);
  });

  test.each(taking('ranged-read'))('ranged-read changes what lies deep in a long file: %s', (id) => {
    const task = by(id);
    const [patch] = parsePatch(task.referencePatch ?? '');
    const text = textOf(task.workspace.find(({ path }) => path === patch?.before));
    const start = (patch?.hunks[0]?.oldStart ?? 0) + 2;
    expect(start).toBeGreaterThan(400);
    expect(text.split('\n').slice(0, start).join('\n').length).toBeGreaterThan(16_384);
  });

  test.each(taking('search'))('search names no file, but something to search for: %s', (id) => {
    const task = by(id);
    expect(task.workspace.length).toBeGreaterThanOrEqual(12);
    expect(task.hints).toEqual([]);
    const paths = changedPaths(task);
    const told = task.instruction.replaceAll(/APP_\w+/g, '');
    expect(paths.filter((path) => told.includes(path) || told.includes(path.split('/').at(-1) ?? ''))).toEqual([]);
    const texts = paths.map((path) => textOf(task.workspace.find((file) => file.path === path))).join('\n');
    const quoted = [...told.matchAll(/`([^`]+)`|"([^"\n]+)"|^ {4}(.+)$/gm)].flatMap((match) =>
      match.slice(1).filter(Boolean),
    );
    const words = quoted.flatMap((text) => text.match(/[a-z]+(?: [a-z]+)+|[a-z]{3,}/g) ?? []);
    expect(words.filter((word) => texts.includes(word))).not.toEqual([]);
  });

  test.each(taking('run-tests'))(
    'run-tests is not solved by the first hunk, and its visible tests tell: %s',
    async (id) => {
      const task = by(id);
      const half = applyPatch(task.workspace, firstHunk(task.referencePatch ?? ''));
      const whole = applyPatch(task.workspace, task.referencePatch ?? '');
      expect(half).not.toEqual(whole);
      expect((await runOver(half, visibleTests(task))).exitCode).toBe(1);
      expect((await runOver(whole, visibleTests(task))).exitCode).toBe(0);
    },
  );

  test.each(taking('persistence'))('persistence takes many changes in many files: %s', (id) => {
    const files = parsePatch(by(id).referencePatch ?? '');
    expect(files.length).toBeGreaterThanOrEqual(6);
    expect(files.flatMap(({ hunks }) => hunks).length).toBeGreaterThanOrEqual(8);
  });

  test.each(taking('tail-output'))('tail-output names the file only at the end of a long output: %s', async (id) => {
    const task = by(id);
    const [, script = ''] = /^ {4}node (\S+)$/m.exec(task.instruction) ?? [];
    const { stdout } = await runOver(task.workspace, ['node', script]);
    const [path = ''] = changedPaths(task);
    expect(stdout.length).toBeGreaterThan(20_000);
    expect(stdout.slice(-500)).toContain(path);
    expect(stdout.slice(0, -500)).not.toContain(path);
    expect(task.instruction).not.toContain(path);
  });
});

test('the tests of a kata take well under a second', async () => {
  const task = by('lru-touch');
  await runOver([...task.workspace, ...task.hiddenTests], task.test.command);
  const startMs = performance.now();
  await runOver([...task.workspace, ...task.hiddenTests], task.test.command);
  expect(performance.now() - startMs).toBeLessThan(2_000);
});
