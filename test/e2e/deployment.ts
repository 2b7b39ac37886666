import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { run } from '#test/provision/command.ts';
import { composeCommand } from '#test/provision/compose.ts';

const IMAGE = 'clade-test/service';
const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the image is built from, and what is mounted. */
const PARTS = [
  'docker-compose.yml',
  '.dockerignore',
  'package.json',
  'package-lock.json',
  'archive',
  'benchmarks',
  'docs/deploy',
  'sandbox',
  'services',
];

/** A copy of the checkout as someone has it who wants to deploy it, gone with all that was started when disposed of. */
export interface Deployment extends AsyncDisposable {
  directory: string;
  /** Of Compose: the label of everything that it makes. */
  project: string;
  url: string;
  prepare(): Promise<string>;
  compose(...args: string[]): Promise<string>;
  secret(name: string): Promise<string>;
}

export async function deployment(): Promise<Deployment> {
  const directory = await mkdtemp(path.join(tmpdir(), 'clade-test-deployment-'));
  const before = await imageId();
  const project = `clade-test-${randomBytes(4).toString('hex')}`;
  const port = await freePort();
  for (const part of PARTS) await cp(path.join(root, part), path.join(directory, part), { recursive: true });
  const certificates = tls.getCACertificates('extra').join('\n');
  if (certificates !== '') await writeFile(path.join(directory, 'ca-bundle.crt'), `${certificates}\n`);
  const file = path.join(directory, 'docker-compose.yml');
  const command = [...(await composeCommand()), '--project-name', project, '--file', file];
  const settings = { CLADE_PORT: String(port), CLADE_IMAGE: IMAGE, DOCKER_BUILDKIT: '0' };
  let isUp = false;
  const compose = (...args: string[]) => {
    isUp ||= args.includes('up');
    return run([...command, ...args], settings);
  };
  return {
    directory,
    project,
    url: `http://127.0.0.1:${port}`,
    prepare: () => run(['sh', path.join(directory, 'docs/deploy/prepare.sh')]),
    compose,
    secret: (name) => readFile(path.join(directory, '.secrets', name), 'utf8'),
    async [Symbol.asyncDispose]() {
      if (isUp) await compose('down', '--volumes', '--remove-orphans', '--timeout', '20').catch(() => undefined);
      // That of another state of the checkout; its layers stay with the present one as far as they are the same.
      if (before !== '' && before !== (await imageId()))
        await run(['docker', 'image', 'rm', before]).catch(() => undefined);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The ids of a project's containers, volumes or networks. */
export async function madeBy(project: string, kind: 'container' | 'volume' | 'network'): Promise<string[]> {
  const all = kind === 'container' ? ['--all'] : [];
  const filter = `label=com.docker.compose.project=${project}`;
  return (await run(['docker', kind, 'ls', ...all, '--quiet', '--filter', filter])).split('\n').filter(Boolean);
}

/** Waits until a container of the service is healthy. @throws Error with what it logged when it is not. */
export async function healthy({ compose, project }: Deployment, service: string, withinMs = 120_000): Promise<void> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += 500) {
    if ((await inspected(project, service)).State.Health?.Status === 'healthy') return;
    await sleep(500);
  }
  throw new Error(`${service} is not healthy: ${await compose('logs', '--no-color', '--tail', '30', service)}`);
}

/** The part of what the engine knows of a container that is looked at. */
export interface Inspected {
  State: { Health?: { Status: string } };
  Config: { User: string; Env: string[]; Cmd: string[] };
  HostConfig: {
    ReadonlyRootfs: boolean;
    CapDrop: string[] | null;
    Memory: number;
    NanoCpus: number;
    PidsLimit: number;
  };
  Mounts: { Source: string; Destination: string }[];
  NetworkSettings: { Networks: Record<string, unknown> };
}

/** What the engine knows of the container of a service. */
export async function inspected(project: string, service: string): Promise<Inspected> {
  const filters = [`project=${project}`, `service=${service}`].flatMap((label) => [
    '--filter',
    `label=com.docker.compose.${label}`,
  ]);
  const [id] = (await run(['docker', 'container', 'ls', '--all', '--quiet', ...filters])).split('\n');
  if (!id) throw new Error(`there is no container of ${service}`);
  // The engine's own answer, of which the type names a part.
  return JSON.parse(await run(['docker', 'container', 'inspect', '--format', '{{json .}}', id])) as Inspected;
}

/** Empty when there is none. */
async function imageId(): Promise<string> {
  return (await run(['docker', 'image', 'ls', '--quiet', '--no-trunc', IMAGE]).catch(() => '')).trim();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
