import { expect, it } from 'vitest';
import { startService } from '#test/service-process.ts';
import { clade, temporary } from './in-process.ts';
import { cladeProcess } from './processes.ts';

const json = async (args: readonly string[]) => {
  const said = await clade([...args, '--json']);
  expect(said.stderr).toBe('');
  return JSON.parse(said.stdout);
};

it('a service is started, given a run, watched, steered, read while it works, and drained', {
  timeout: 180_000,
}, async () => {
  using place = temporary();
  const at = ['--home', place.directory];
  await using service = await startService(place.directory);
  await expect.poll(service.printed).toContain(`Clade listens on ${service.url}`);

  const { id } = await json([
    'run',
    ...at,
    '--detach',
    '--trials',
    '500',
    '--proposals',
    '100',
    '--sandbox',
    'process',
    '--name',
    'first',
  ]);
  expect((await json(['status', ...at]))[0]).toMatchObject({
    id,
    spec: { name: 'first' },
    champion: { id: `${id}-a1` },
  });
  await expect
    .poll(async () => (await json(['status', 'latest', ...at])).counts.trialsSettled, {
      timeout: 60_000,
      interval: 300,
    })
    .toBeGreaterThan(1);

  expect((await json(['pause', ...at])).state).toMatch(/paus/);
  await expect
    .poll(async () => (await json(['status', id, ...at])).state, { timeout: 30_000, interval: 200 })
    .toBe('paused');
  const again = await clade(['pause', id, ...at]);
  expect(again).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/is paused/) });
  expect((await json(['resume', ...at])).state).toBe('running');
  expect((await json(['stop', ...at])).state).toMatch(/stop/);

  const tree = await json(['tree', ...at]);
  expect(tree).toMatchObject({
    run: id,
    champion: `${id}-a1`,
    agents: [{ id: `${id}-a1`, score: { n: expect.any(Number) } }],
  });
  expect((await clade(['tree', ...at])).stdout).toMatch(/^a1 ★ champion {2}\d\.\d\d \[.*\] n=\d+/m);
  const agent = await json(['show', 'a1', ...at]);
  const trial = agent.trials.find(
    (one: { outcome: string }) =>
      one.outcome === 'resolved' || one.outcome === 'unresolved' || one.outcome === 'empty-patch',
  );
  expect(await json(['show', trial.id, ...at])).toMatchObject({ id: trial.id, agentId: `${id}-a1` });
  expect((await clade(['show', trial.id, '--transcript', ...at])).stdout).toContain('"type"');
  expect((await clade(['show', 'a1', '--patch', ...at])).stderr).toContain('Trials and proposals have a patch');
  expect(await json(['replay', ...at])).toMatchObject({ run: id, firstDifference: null });
  expect((await clade(['diff', 'a1', '--against', 'a1', ...at])).stdout).toContain('have the same source');
  expect((await clade(['diff', 'a1', ...at])).stderr).toContain('no parent');

  const keyed = async (spec: object) => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' };
    const body = JSON.stringify({ ...spec, sandbox: 'process', budget: { trials: 1 } });
    return (await (await fetch(`${service.url}/v1/runs`, { method: 'POST', headers, body })).json()) as { id?: string };
  };
  expect(await keyed({ suite: 'kata' })).toMatchObject({ code: 'invalid-suite' });
  const begun = await keyed({ suite: 'katas' });
  expect((await keyed({ suite: 'katas' })).id).toBe(begun.id);
  expect((await json(['stop', begun.id!, ...at])).state).toMatch(/stop/);

  const followed = await cladeProcess([
    'run',
    ...at,
    '--trials',
    '1',
    '--proposals',
    '1',
    '--task',
    'csv-quotes',
    '--sandbox',
    'process',
    '--no-final-measure',
    '--json',
  ]);
  expect(followed).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/goes on in the service at/),
  });
  expect(JSON.parse(followed.stdout)).toMatchObject({ state: 'finished' });

  const second = await cladeProcess(['up', ...at, '--port', new URL(service.url).port]);
  expect(second).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(`running already, at ${service.url}`) });
  const { exitCode, tookMs } = await service.end('SIGTERM');
  expect(exitCode).toBe(0);
  expect(tookMs).toBeLessThan(10_000);
  expect((await clade(['status', ...at])).stdout).toContain('No service runs');
});

it('a run without a service is followed to its end in its own process', { timeout: 180_000 }, async () => {
  using place = temporary();
  const args = [
    'run',
    '--home',
    place.directory,
    '--trials',
    '3',
    '--task',
    'csv-quotes',
    'date-range',
    '--sandbox',
    'process',
    '--no-final-measure',
    '--json',
  ];
  const said = await cladeProcess([...args, '--proposals', '1']);
  expect(said.stderr).toMatch(/run is finished/);
  expect(JSON.parse(said.stdout)).toMatchObject({
    state: 'finished',
    spec: { tasks: ['csv-quotes', 'date-range'] },
    counts: { proposals: 1 },
  });
  expect(said.exitCode).toBe(0);
});

it.each([['run'], ['demo']])('an interrupted %s answers with what it has come to', async (name) => {
  using place = temporary();
  const args = [name, '--home', place.directory, '--trials', '500', '--sandbox', 'process', '--json'];
  const said = await cladeProcess(args, { interruptAt: 'trials 0/500' });
  expect(JSON.parse(said.stdout)).toMatchObject({ state: 'running' });
  expect(said.exitCode).toBe(130);
});

it('the doctor says what is here and what is missing, and never a key', async () => {
  const said = await clade(['doctor', '--json'], { OPENAI_API_KEY: 'sk-very-secret', PATH: process.env.PATH ?? '' });
  const { works, checks } = JSON.parse(said.stdout);
  expect(works).toBe(true);
  expect(checks.map(({ area }: { area: string }) => area)).toEqual(
    expect.arrayContaining(['node', 'git', 'disk', 'sandbox', 'model', 'suite']),
  );
  for (const check of checks) expect(check.ok || check.remedy !== null || check.detail !== '').toBe(true);
  expect(said.stdout + (await clade(['doctor'], { OPENAI_API_KEY: 'sk-very-secret' })).stdout).not.toContain(
    'very-secret',
  );
});

it('the suites are listed, and validated', { timeout: 120_000 }, async () => {
  using place = temporary();
  const list = await json(['suite', 'list', '--home', place.directory]);
  expect(list).toContainEqual(expect.objectContaining({ name: 'katas', builtin: true }));
  const said = await clade(['suite', 'validate', '--sandbox', 'process', '--json', '--home', place.directory]);
  const figures = JSON.parse(said.stdout);
  expect(figures).toMatchObject({ suite: 'katas', sandbox: 'process', emptyResolved: 0, excluded: [] });
  expect(figures.referenceResolved).toBe(figures.tasks);
  expect(said.exitCode).toBe(0);
});
