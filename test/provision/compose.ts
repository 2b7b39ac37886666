import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run } from './command.ts';
import type { Provision } from './docker.ts';
import { providePrograms } from './packages.ts';

/** Makes sure that Docker Compose is there, of either generation, where that can be done. */
export async function provideCompose(): Promise<Provision> {
  try {
    if ((await newCompose()) === null) await providePrograms(['docker-compose']);
    return { available: true, reason: '' };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** How Compose is called here. */
export async function composeCommand(): Promise<string[]> {
  return (await newCompose()) ?? ['docker-compose'];
}

async function newCompose(): Promise<string[] | null> {
  return await run(['docker', 'compose', 'version']).then(
    () => ['docker', 'compose'],
    () => null,
  );
}

/**
 * Makes sure that an image of Redis is there under its public name: from the registry, or where none can be reached, made
 * of Debian's package.
 */
export async function provideRedisImage(image: string): Promise<void> {
  const present = ['docker', 'image', 'inspect', image];
  const pull = ['docker', 'pull', '--quiet', image];
  await run(present).catch(() => run(pull).catch(() => makeRedisImage(image)));
}

async function makeRedisImage(image: string): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'clade-test-redis-'));
  const steps = [
    'FROM node:26-bookworm-slim',
    'RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*',
  ];
  try {
    await writeFile(path.join(directory, 'Dockerfile'), `${steps.join('\n')}\n`);
    await run(['docker', 'build', '--tag', image, directory]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
