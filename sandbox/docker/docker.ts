import Docker from 'dockerode';
import type { ImageStoreOptions } from '#sandbox/images.ts';
import type { Diagnosis, Sandbox, SandboxDriver } from '#sandbox/sandbox.ts';
import type { SandboxLabels, SandboxSpec } from '#sandbox/schema.ts';
import { answered, type Engine, EngineSilent, statusOf } from './answer.ts';
import { containerSettings, labelsOf } from './container-settings.ts';
import { HostsFile } from './hosts-file.ts';
import { DockerImages } from './images.ts';
import { environmentOf, volumesOf } from './inspect.ts';
import { Removals, removeContainer } from './removals.ts';
import { seccompProfile, startContainer } from './start.ts';

export interface DockerOptions {
  /** The engine; by default the one that `DOCKER_HOST` names, else the local one. */
  docker?: Docker;
  /** A container runtime other than the engine's default, such as `runsc`. */
  runtime?: string;
  /** How long the engine may take to answer a call; one that makes a container may take four times as long. */
  answerMs?: number;
  images?: ImageStoreOptions;
}

const ANSWER_MS = 15_000;

/** Runs programs in containers without network, rights or a writable image. */
export function createDocker(options: DockerOptions = {}): SandboxDriver {
  const engine = { docker: options.docker ?? new Docker(), answerMs: options.answerMs ?? ANSWER_MS };
  const images = new DockerImages(engine, options.images);
  const removals = new Removals(engine);
  const hostsFile = new HostsFile(engine);
  return {
    name: 'docker',
    isolates: true,
    images,
    diagnose: async () => await diagnose(engine).catch(missing),
    prepare: async (image, prepareOptions) => void (await images.resolve(image, prepareOptions)),
    open: async (spec, { signal } = {}) =>
      await open({ engine, images, removals, hostsFile, runtime: options.runtime }, spec, signal),
    reap: async (owner, isAlive) => {
      await removals.settled();
      return await reap(engine, owner, isAlive);
    },
    settled: async () => await removals.settled(),
  };
}

async function diagnose({ docker, answerMs }: Engine): Promise<Diagnosis> {
  const asked = () => Promise.all([docker.version(), docker.info()]);
  const [version, info] = await answered(answerMs, asked);
  const detail = `Docker ${version.Version}, ${info.NCPU} cores, cgroup v${info.CgroupVersion ?? 1}`;
  const enforces = {
    memory: info.MemoryLimit === true,
    pids: info.PidsLimit === true,
    cpus: info.CpuCfsQuota === true,
    disk: true,
    network: true,
  };
  return { driver: 'docker', available: true, detail, gpus: knowsGpus(info), enforces };
}

/** Engines from 28.3 on list devices that they found; older ones can be told by their runtimes alone. */
function knowsGpus({ Runtimes, DiscoveredDevices }: { Runtimes?: unknown; DiscoveredDevices?: unknown }): boolean {
  return /"nvidia("|\.com\/)/.test(JSON.stringify([Runtimes, DiscoveredDevices]));
}

function missing(error: unknown): Diagnosis {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const enforces = { memory: false, pids: false, cpus: false, disk: false, network: false };
  const says = (detail: string, remedy: string): Diagnosis => ({
    driver: 'docker',
    available: false,
    detail,
    remedy,
    enforces,
  });
  if (code === 'EACCES')
    return says('Docker is there, but not for this user', 'sudo usermod -aG docker "$USER", then log in again');
  if (code === 'ENOENT')
    return says('no Docker engine is running', 'apt-get install docker.io tini, then systemctl start docker');
  if (code === 'ECONNREFUSED' || error instanceof EngineSilent)
    return says('the Docker engine does not answer', 'systemctl restart docker');
  return says(`Docker fails: ${error instanceof Error ? error.message : String(error)}`, 'docker info says more');
}

interface Opening {
  engine: Engine;
  images: DockerImages;
  removals: Removals;
  hostsFile: HostsFile;
  runtime: string | undefined;
}

async function open(
  { engine, images, removals, hostsFile, runtime }: Opening,
  spec: SandboxSpec,
  signal?: AbortSignal,
): Promise<Sandbox> {
  signal?.throwIfAborted();
  const asking = signal === undefined ? {} : { signal };
  const { reference, info } = await images.find(spec.image, asking);
  const toolsVolume = spec.tools ? await images.tools(asking) : undefined;
  const facts = {
    seccomp: await seccompProfile(),
    volumes: volumesOf(info),
    hostsFile: spec.writableRoot ? undefined : await hostsFile.path(reference),
    runtime,
    toolsVolume,
  };
  const settings = containerSettings({ ...spec, image: reference }, facts);
  const starting = startContainer(engine, settings, {
    deadlineMs: spec.deadlineMs,
    signal,
    removals,
    // Whoever leased its GPUs hands them on.
    isAwaited: (spec.gpus ?? []).length > 0,
    hasTools: spec.tools,
    ...(spec.writableRoot ? { baseEnv: environmentOf(info) } : {}),
  });
  return await starting.catch((error: unknown) => {
    hostsFile.forget();
    throw error;
  });
}

async function reap(
  { docker, answerMs }: Engine,
  owner: string,
  isAlive: (labels: SandboxLabels) => boolean,
): Promise<string[]> {
  const removed: string[] = [];
  const filters = { label: [`dev.clade.owner=${owner}`] };
  const list = (abortSignal: AbortSignal) => docker.listContainers({ all: true, filters, abortSignal });
  const found = await answered(answerMs, list).catch((error: unknown) => {
    if (statusOf(error) === undefined) return [];
    throw error;
  });
  for (const { Id, Labels } of found) {
    const labels = labelsOf(Labels);
    if (labels === undefined || labels.owner !== owner || isAlive(labels)) continue;
    await removeContainer(docker.getContainer(Id), answerMs);
    removed.push(Id);
  }
  return removed;
}
