import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { expect, it } from 'vitest';
import { launcher } from '#test/service-process.ts';
import { temporary } from './in-process.ts';
import { cladeProcess } from './processes.ts';

/** A Node on this machine that cannot run TypeScript by itself. */
const oldNode = (process.env.PATH ?? '')
  .split(delimiter)
  .map((directory) => join(directory, 'node'))
  .find((path) => (majorOf(path) ?? 99) < 24);

it('prints its version, and what it can do', async () => {
  const [version, help] = await Promise.all([cladeProcess(['--version']), cladeProcess(['--help'])]);
  expect(version).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  for (const name of [
    'up',
    'run',
    'demo',
    'status',
    'pause',
    'resume',
    'stop',
    'tree',
    'show',
    'diff',
    'replay',
    'suite',
    'doctor',
  ]) {
    expect(help.stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  }
});

it.skipIf(oldNode === undefined)(
  'an old Node hands over to the one that was installed, with arguments and exit code',
  async () => {
    const said = await cladeProcess(['show', '--home', '/nowhere', 'a1'], { node: oldNode! });
    expect(said).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('no archive in /nowhere') });
  },
);

it.skipIf(oldNode === undefined)('an old Node alone says what is needed and how to get it', () => {
  using place = temporary();
  mkdirSync(join(place.directory, 'services'));
  cpSync(launcher, join(place.directory, 'services', 'clade.js'));
  cpSync(join(launcher, '..', '..', 'package.json'), join(place.directory, 'package.json'));
  const run = () =>
    execFileSync(oldNode!, [join(place.directory, 'services', 'clade.js')], { stdio: 'pipe', encoding: 'utf8' });
  expect(run).toThrow(/needs Node 24 or newer and found v\d+.*npm ci/s);
});

function majorOf(node: string): number | null {
  try {
    return Number(
      execFileSync(node, ['-p', 'process.versions.node'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).split('.')[0],
    );
  } catch {
    return null;
  }
}
