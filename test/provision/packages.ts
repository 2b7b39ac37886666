import { readFile } from 'node:fs/promises';
import { has, run } from './command.ts';

/** Programs the tests use and the packages of Debian and Ubuntu that have them. */
const PACKAGES: Readonly<Record<string, string>> = {
  git: 'git',
  bwrap: 'bubblewrap',
  dockerd: 'docker.io',
  'docker-init': 'tini',
  debootstrap: 'debootstrap',
  'docker-compose': 'docker-compose',
};

/** Once is enough for all that is installed. */
let updated: Promise<string> | undefined;

/** Installs what is missing of `programs`. @throws Error that says why it could not. */
export async function providePrograms(programs: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const program of programs) if (!(await has(program))) missing.push(program);
  if (missing.length === 0) return;
  const packages = missing.map((program) => PACKAGES[program] ?? program);
  if (process.getuid?.() !== 0)
    throw new Error(`${missing.join(', ')} not found; apt-get install ${packages.join(' ')}`);
  const { id } = await osRelease();
  if (!['debian', 'ubuntu'].includes(id)) throw new Error(`${missing.join(', ')} not found, and no apt-get here`);
  const patiently = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3'];
  updated ??= run(['apt-get', ...patiently, 'update']);
  await updated;
  await run(['apt-get', ...patiently, 'install', '-y', '--no-install-recommends', ...packages], {
    DEBIAN_FRONTEND: 'noninteractive',
  });
}

/** What this system calls itself and its release. */
export async function osRelease(): Promise<{ id: string; codename: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: field('ID'), codename: field('VERSION_CODENAME') };
}
