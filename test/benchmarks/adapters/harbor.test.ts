import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readHarbor } from '#benchmarks/adapters/harbor.ts';
import { importSuite, openSuite, SuiteError } from '#benchmarks/suite.ts';
import { taskPlace, writeTask } from '#test/benchmarks/harbor/task-folders.ts';

let place: Awaited<ReturnType<typeof taskPlace>>;
let set: string;
beforeAll(async () => {
  place = await taskPlace();
  set = join(place.directory, 'set');
  await writeTask(set, 'b-sum');
  await writeTask(set, 'a-sum', { 'task.toml': '[environment]\nworkdir = "/app"\nmemery_mb = 1\n' });
  await writeTask(set, 'broken', { 'task.toml': '[environment]\n\ncpus = "x"\n', 'instruction.md': null });
  await writeTask(set, 'online', { 'task.toml': '[environment]\nnetwork_mode = "public"\n' });
  await mkdir(join(set, 'docs'));
});
afterAll(() => place[Symbol.asyncDispose]());

const ids = (tasks: readonly { id: string }[]) => tasks.map(({ id }) => id);

test('a folder of tasks is read by name, and what cannot be used is left out with its first fault and where that is', async () => {
  const { tasks, excluded } = await readHarbor(set);
  expect(ids(tasks)).toEqual(['a-sum', 'b-sum']);
  expect(excluded).toEqual([
    { id: 'broken', reason: expect.stringMatching(/^task\.toml:3: environment\.cpus: .* \(and 1 more\)$/) },
    {
      id: 'online',
      reason:
        'task.toml:2: it needs network access to the internet, and this installation permits none: import it with --allow-network, and name hosts in CLADE_EGRESS',
    },
  ]);
});

test('tasks that need the network are kept when that is asked for, and say so', async () => {
  const { tasks } = await readHarbor(set, { allowNetwork: true });
  expect(tasks.map(({ id, network }) => [id, network])).toEqual([
    ['a-sum', null],
    ['b-sum', null],
    ['online', { allow: null }],
  ]);
});

test('what is odd is told by task, file and line, and what was passed over', async () => {
  const told: string[] = [];
  await readHarbor(set, { onWarning: (line) => told.push(line) });
  expect(told).toEqual([
    'docs/ has no task.toml: passed over',
    expect.stringMatching(/^a-sum\/task\.toml:3: environment\.memery_mb .* did you mean memory_mb\?/),
  ]);
});

test('the folder may be one called tasks, below the place', async () => {
  await writeTask(join(place.directory, 'repository', 'tasks'), 'sum');
  expect(ids((await readHarbor(join(place.directory, 'repository'))).tasks)).toEqual(['sum']);
});

test('one task folder is a set of one, and ids can be chosen', async () => {
  expect(ids((await readHarbor(join(set, 'b-sum'))).tasks)).toEqual(['b-sum']);
  expect(await readHarbor(set, { ids: new Set(['b-sum']) })).toMatchObject({ tasks: [{ id: 'b-sum' }], excluded: [] });
});

describe('is refused:', () => {
  test.each<[string, string, RegExp]>([
    ['a folder without tasks', 'docs', /docs has no task in it: give a folder with a task\.toml/],
    ['one that is not there', 'nowhere', /nowhere cannot be read \(ENOENT\)/],
    ['one in which nothing can be used', 'broken', /has no task that can be used: broken: task\.toml:3/],
  ])('%s', async (_, path, message) => {
    await expect(readHarbor(join(set, path))).rejects.toThrow(SuiteError);
    await expect(readHarbor(join(set, path))).rejects.toThrow(message);
  });
});

describe('a suite', () => {
  test('is opened from such a folder by its path, as it is', async () => {
    const suite = await openSuite(set, { shelf: '/nowhere' });
    expect(suite).toMatchObject({ name: 'set', title: 'Tasks of set', tasks: [{ id: 'a-sum' }, { id: 'b-sum' }] });
    expect(ids(suite.excluded)).toEqual(['broken', 'online']);
    expect((await openSuite(join(set, 'b-sum'), { shelf: '/nowhere' })).tasks).toHaveLength(1);
  });

  test('has the title that suite.json gives it', async () => {
    await writeFile(join(set, 'suite.json'), '{"title": "Sums"}');
    expect((await openSuite(set, { shelf: '/nowhere' })).title).toBe('Sums');
    await rm(join(set, 'suite.json'));
  });

  test('is the same when it is imported and opened by name', async () => {
    const shelf = join(place.directory, 'shelf');
    const imported = await importSuite('harbor', set, { shelf, name: 'sums' });
    const opened = await openSuite(set, { shelf });
    expect(imported.digest).toBe(opened.digest);
    expect(ids(imported.tasks)).toEqual(ids(opened.tasks));
    expect(imported.excluded).toEqual(opened.excluded);
  });

  test('is another one when a test or the solution changes', async () => {
    const dir = await writeTask(place.directory, 'changing');
    const before = (await openSuite(dir, { shelf: '/nowhere' })).digest;
    for (const path of ['tests/sum.test.js', 'solution/solve.sh', 'environment/Dockerfile'])
      await expect(
        writeTask(place.directory, basename(dir), { [path]: 'FROM other:1\nWORKDIR /app\n' })
          .then(() => openSuite(dir, { shelf: '/nowhere' }))
          .then(({ digest }) => digest),
      ).resolves.not.toBe(before);
  });
});
