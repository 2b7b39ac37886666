import { expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { child, newRun, trial } from '#test/api/service.ts';
import { clade, temporary } from './in-process.ts';

/** A data directory with a run of two agents: a1, and its child a2 with one trial. */
async function home() {
  const place = temporary();
  await using archive = await openArchive(place.directory, { create: true });
  const run = await newRun(archive);
  const agent = await child(archive, run, `${run.id}-a1`);
  trial(archive, run, { agent, task: 'one', y: 1, transcript: 'first line\nsecond \u001b[31mline' });
  return { ...place, run: run.id };
}

it.each([
  [
    ['show', 't1', '--transcript'],
    (run: string) => ({ id: `${run}-t1`, transcript: 'first line\nsecond \u001b[31mline' }),
  ],
  [['show', 't1', '--patch'], (run: string) => ({ id: `${run}-t1`, patch: 'the patch' })],
  [['show', 't1', '--grader-log'], (run: string) => ({ id: `${run}-t1`, graderLog: 'the grader log' })],
  [['show', 'p1', '--transcript'], (run: string) => ({ id: `${run}-p1`, transcript: 'how it went' })],
  [['show', 'p1'], (run: string) => ({ id: `${run}-p1`, outcome: 'joined' })],
  [['show', 't1'], (run: string) => ({ id: `${run}-t1`, task: 'one' })],
  [['show', 'a2'], (run: string) => ({ id: `${run}-a2`, trials: [{ id: `${run}-t1` }] })],
  [['show', 'latest'], (run: string) => ({ id: run, state: 'running' })],
  [['diff', 'a2'], (run: string) => ({ agent: `${run}-a2`, against: `${run}-a1` })],
  [['diff', 'a2', '--against', 'a2'], (run: string) => ({ agent: `${run}-a2`, diff: '' })],
  [['tree', 'latest'], (run: string) => ({ run, agents: [{ id: `${run}-a1` }, { id: `${run}-a2` }] })],
  [['status'], (run: string) => [{ id: run }]],
  [['status', 'latest'], (run: string) => ({ id: run })],
  [['suite', 'list'], () => expect.arrayContaining([expect.objectContaining({ name: 'katas' })])],
  [['doctor'], () => ({ works: expect.any(Boolean), checks: expect.any(Array) })],
])('clade %j --json answers with one JSON text and nothing else', async (args, expected) => {
  using place = await home();
  const said = await clade([...args, '--home', place.directory, '--json'], { PATH: process.env.PATH ?? '' });
  expect(JSON.parse(said.stdout)).toMatchObject(expected(place.run));
  expect(said.stderr).toBe('');
});

it('text without --json comes as it was printed, harmless to a terminal', async () => {
  using place = await home();
  const said = await clade(['show', 't1', '--transcript', '--home', place.directory]);
  expect(said.stdout).toBe('first line\nsecond line\n');
});
