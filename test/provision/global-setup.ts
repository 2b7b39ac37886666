import type { TestProject } from 'vitest/node';
import { provideBubblewrap } from './bubblewrap.ts';
import { provideCompose } from './compose.ts';
import { type Provision, provideDocker, releaseDocker } from './docker.ts';
import { provideRedis } from './redis.ts';
import { provideRegistry } from './registry.ts';

declare module 'vitest' {
  interface ProvidedContext {
    docker: Provision;
    compose: Provision;
    registry: Provision;
    bubblewrap: Provision;
    redis: Provision;
  }
}

/** Provides what the tests need beyond Node, and says at the end what they had to do without. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const provisions = {
    bubblewrap: await provideBubblewrap(),
    docker: await provideDocker(),
    compose: await provideCompose(),
    registry: await provideRegistry(),
    redis: await provideRedis(),
  };
  project.provide('bubblewrap', provisions.bubblewrap);
  project.provide('docker', provisions.docker);
  project.provide('compose', provisions.compose);
  project.provide('registry', provisions.registry);
  project.provide('redis', provisions.redis);
  return async () => {
    for (const [name, { available, reason }] of Object.entries(provisions)) {
      if (!available) process.stdout.write(`Without ${name}: its tests were skipped, because ${reason}.\n`);
    }
    await releaseDocker();
  };
}
