import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { clade, type Said, temporary } from './in-process.ts';
import { cladeProcess } from './processes.ts';

/** One line on stderr that says this, exit code 2, nothing on stdout. */
function expectRefusal(said: Said, message: RegExp): void {
  expect(said.stderr).toMatch(message);
  expect(said.stderr).not.toMatch(/\n\s+at |\.ts:\d+/);
  expect(said.stdout).toBe('');
  expect(said.exitCode).toBe(2);
}

describe('a wrong command line gets one clear message and exit code 2', () => {
  const place = temporary();
  const home = join(place.directory, 'home');
  afterAll(() => place[Symbol.dispose]());

  it.each([
    [['run', '--suite', 'nope'], /no suite nope: choose one of katas/],
    [['run', '--policy', 'magic'], /spec\.policy\.kind: must be one of hgm, dgm, greedy, uniform/],
    [['run', '--model', 'gpt-99'], /no model "gpt-99"\. Known: rehearsal/],
    [['run', '--model', 'constructor'], /no model "constructor"/],
    [['run', '--usd', '-3'], /spec\.budget\.usd: must be more than 0/],
    [['run', '--task', 'nope'], /no task nope\. It has: config-zero/],
    [['run', '--trials', 'many'], /"many" is not a number/],
    [['run', '--sandbox', 'none'], /must be one of auto, docker, bubblewrap, process/],
    [['run', '--detach'], /start "clade up" first/],
    [['status', 'r000000'], /no run "r000000"/],
    [['show', 'r000000-a1'], /no agent "r000000-a1"/],
    [['show', 'p1'], /no run in .* yet/],
    [['tree', 'latest'], /no run in .* yet/],
    [['diff', 'r000000-t1'], /no trial/],
    [['up', '--host', '0.0.0.0'], /needs a token: set CLADE_ADMIN_TOKEN/],
    [['up', '--port', '99999'], /99999 is not a port/],
    [['suite', 'validate', 'nope'], /no suite nope/],
    [['suite', 'validate', '--sandbox', 'none'], /--sandbox must be one of/],
    [['suite', 'import', 'polyglot', '/nowhere'], /nowhere/],
    [['demo', '--slots', '0'], /At least 1 is needed/],
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['show'], /missing required argument 'id'/],
  ])('clade %j', async (args, message) => {
    mkdirSync(home, { recursive: true });
    await (await openArchive(home, { create: true }))[Symbol.asyncDispose]();
    expectRefusal(await clade([...args, ...(args[0] === 'frobnicate' ? [] : ['--home', home])]), message);
  });
});

it('steering a run without a running service says how to start one', async () => {
  using place = temporary();
  const archive = await openArchive(place.directory, { create: true });
  const { newRun } = await import('#test/api/service.ts');
  const { id } = await newRun(archive);
  await archive[Symbol.asyncDispose]();
  expectRefusal(await clade(['pause', '--home', place.directory]), /No service is running .*clade up/);
  expectRefusal(await clade(['stop', 'r000000', '--home', place.directory]), new RegExp(`no run "r000000".*${id}`));
});

it('settings of the environment are checked, and named', async () => {
  expectRefusal(await clade(['status'], { CLADE_PORT: 'abc' }), /CLADE_PORT/);
  expectRefusal(
    await clade(['status'], { CLADE_ADMIN_TOKEN: 'short' }),
    /CLADE_ADMIN_TOKEN: needs at least 16 characters/,
  );
  expectRefusal(
    await clade(['run'], { CLADE_MODELS: '/nowhere.json' }),
    /CLADE_MODELS: \/nowhere\.json cannot be read/,
  );
});

it('settings of the environment that are empty count as not set', async () => {
  using place = temporary();
  const env = { CLADE_VIEWER_TOKEN: '', CLADE_PORT: '', CLADE_MODELS: '', CLADE_HOME: place.directory };
  expectRefusal(await clade(['status'], env), /no archive in/);
});

describe('as a process', () => {
  it('a data directory that cannot be one, a database of another version, a broken suite', async () => {
    using place = temporary();
    const file = join(place.directory, 'file');
    writeFileSync(file, '');
    const other = join(place.directory, 'other');
    await (await openArchive(other, { create: true }))[Symbol.asyncDispose]();
    const database = new Sqlite(join(other, 'archive.sqlite'));
    database.pragma('user_version = 4711');
    database.close();
    const suite = join(place.directory, 'suite');
    mkdirSync(join(suite, 'one'), { recursive: true });
    writeFileSync(join(suite, 'suite.json'), '{"title":"Broken"}');
    writeFileSync(join(suite, 'one', 'task.json'), '{"id":"one",');
    const [unwritable, version, broken, missing] = await Promise.all([
      cladeProcess(['up', '--home', join(file, 'below'), '--port', '0']),
      cladeProcess(['up', '--home', other, '--port', '0']),
      cladeProcess(['run', '--home', join(place.directory, 'new'), '--suite', suite]),
      cladeProcess(['tree', '--home', join(place.directory, 'nothing')]),
    ]);
    expectRefusal(unwritable, /cannot be used as a data directory/);
    expectRefusal(version, /4711/);
    expectRefusal(broken, /one\/task\.json is not JSON/);
    expectRefusal(missing, /no archive in .*clade up/);
  });

  it('an occupied port, and a data directory that is in use', async () => {
    using place = temporary();
    const squatter = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => squatter.once('listening', resolve));
    const address = squatter.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const home = join(place.directory, 'home');
    await using _archive = await openArchive(home, { create: true });
    const [occupied, inUse] = await Promise.all([
      cladeProcess(['up', '--home', join(place.directory, 'other'), '--port', port]),
      cladeProcess(['up', '--home', home, '--port', '0']),
    ]);
    squatter.close();
    expectRefusal(occupied, new RegExp(`Port ${port} of 127\\.0\\.0\\.1 is taken.*--port`));
    expectRefusal(inUse, new RegExp(`is in use by process ${process.pid}`));
  });
});
