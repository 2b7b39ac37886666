import type { ContainerCreateOptions, ContainerInspectInfo, HostConfig } from 'dockerode';
import { CONTAINER_KEEPER_SCRIPT } from '#sandbox/keeper.ts';
import type { SandboxLabels, SandboxSpec } from '#sandbox/schema.ts';

export interface ContainerFacts {
  /** The seccomp profile, as JSON. */
  seccomp: string;
  /** Paths that the image declares as volumes, which Docker would put on the host's disk without a limit. */
  volumes: readonly string[];
  /** A file on the engine's machine to have for `/etc/hosts`, read-only, where the root cannot be written. */
  hostsFile?: string | undefined;
  /** A container runtime other than the engine's default, such as `runsc`. */
  runtime?: string | undefined;
  /** The volume that holds Node and git, for sandboxes that ask for them. */
  toolsVolume?: string | undefined;
}

const MIB = 1024 * 1024;
const HOSTNAME = 'sandbox';
const LABEL = 'dev.clade.';

/** The directories that programs may write to, besides `/dev/shm`. */
export const WRITABLE = ['/workspace', '/agent', '/task', '/clade', '/tmp'];

export type ContainerSettings = ContainerCreateOptions & { HostConfig: HostConfig };

/** Everything about a sandbox's container that keeps what runs in it in. */
export function containerSettings(spec: SandboxSpec, facts: ContainerFacts): ContainerSettings {
  return {
    Image: spec.image,
    User: spec.writableRoot ? '0:0' : '1000:1000',
    Entrypoint: [
      '/bin/sh',
      '-c',
      spec.writableRoot
        ? `mkdir -p -m 1777 ${WRITABLE.join(' ')}; ${HOSTS_SCRIPT}; ${CONTAINER_KEEPER_SCRIPT}`
        : CONTAINER_KEEPER_SCRIPT,
    ],
    Cmd: [],
    // Where the engine's default runtime is NVIDIA's, images that say `all` here, as those with CUDA do, would get every GPU.
    Env: [`NVIDIA_VISIBLE_DEVICES=${spec.gpus?.join(',') || 'void'}`],
    WorkingDir: '/',
    Hostname: HOSTNAME,
    Labels: { ...containerLabels(spec.labels), [`${LABEL}deadline`]: String(spec.deadlineMs) },
    Healthcheck: { Test: ['NONE'] },
    // Setting up a network of mode `none` takes the engine half of a start. Without that nobody makes an `/etc/hosts`, so
    // that only those do without who are given one or can write their own.
    NetworkDisabled: spec.writableRoot === true || facts.hostsFile !== undefined,
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    HostConfig: hostConfig(spec, facts),
  };
}

/** What the engine would write: tests of images were made to pass in containers that know themselves. */
export const HOSTS = `127.0.0.1\tlocalhost ${HOSTNAME}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
const HOSTS_SCRIPT = `grep -qsw ${HOSTNAME} /etc/hosts || printf %s '${HOSTS}' >> /etc/hosts`;

function hostConfig({ limits, gpus = [], writableRoot = false }: SandboxSpec, facts: ContainerFacts): HostConfig {
  const diskBytes = limits.diskMiB * MIB;
  const tmpfs = `rw,exec,nosuid,nodev,mode=1777,uid=1000,gid=1000,size=${diskBytes}`;
  const mounts = writableRoot ? facts.volumes : [...WRITABLE, ...facts.volumes];
  return {
    AutoRemove: true,
    Init: true,
    NetworkMode: 'none',
    IpcMode: 'private',
    Privileged: false,
    CapAdd: writableRoot ? ROOT_CAPABILITIES : [],
    CapDrop: ['ALL'],
    SecurityOpt: ['no-new-privileges', `seccomp=${facts.seccomp}`],
    PidsLimit: limits.pids,
    Memory: limits.memoryMiB * MIB,
    MemorySwap: limits.memoryMiB * MIB,
    NanoCpus: Math.round(limits.cpus * 1e9),
    Ulimits: [
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'fsize', Soft: diskBytes, Hard: diskBytes },
      { Name: 'nofile', Soft: 4096, Hard: 4096 },
    ],
    OomScoreAdj: 500,
    // Tests of images were made to pass in containers that have as much.
    ShmSize: (writableRoot ? 64 : 16) * MIB,
    LogConfig: { Type: 'none', Config: {} },
    ReadonlyRootfs: !writableRoot,
    Tmpfs: Object.fromEntries(mounts.map((path) => [path, tmpfs])),
    Binds: [],
    Mounts: [
      ...(facts.toolsVolume === undefined ? [] : [toolsMount(facts.toolsVolume)]),
      ...(facts.hostsFile === undefined || writableRoot ? [] : [hostsMount(facts.hostsFile)]),
    ],
    Devices: [],
    DeviceRequests: gpus.length === 0 ? [] : [{ Driver: 'nvidia', DeviceIDs: [...gpus], Capabilities: [['gpu']] }],
    ...(facts.runtime === undefined ? {} : { Runtime: facts.runtime }),
  };
}

/** What root of an image needs to be at home among files of several owners. None of it reaches beyond the container. */
const ROOT_CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER'];

/** Where Node and git are, for sandboxes that ask for them. */
export const TOOLS = '/opt/clade';

function toolsMount(volume: string): NonNullable<HostConfig['Mounts']>[number] {
  return { Type: 'volume', Source: volume, Target: TOOLS, ReadOnly: true };
}

export function hostsMount(file: string): NonNullable<HostConfig['Mounts']>[number] {
  return { Type: 'bind', Source: file, Target: '/etc/hosts', ReadOnly: true };
}

/** What differs between the settings asked for and the container that the engine made of them; nothing, when all is well. */
export function settingDifferences(
  asked: ContainerSettings,
  made: Pick<ContainerInspectInfo, 'Config' | 'HostConfig' | 'Mounts'>,
): string[] {
  const host = differences('HostConfig', asked.HostConfig, made.HostConfig);
  const config = differences(
    'Config',
    { User: asked.User, Labels: asked.Labels, Entrypoint: asked.Entrypoint },
    made.Config,
  );
  const targets = new Set((asked.HostConfig.Mounts ?? []).map(({ Target }) => Target));
  const isAsked = ({ Type, Destination, RW }: (typeof made.Mounts)[number]) =>
    String(Type) === 'tmpfs' || (targets.has(Destination) && !RW);
  const mounts = made.Mounts.filter((mount) => !isAsked(mount));
  return [...host, ...config, ...mounts.map(({ Destination }) => `${Destination} is mounted from the host`)];
}

function differences(where: string, asked: object, made: object): string[] {
  const got = new Map<string, unknown>(Object.entries(made));
  return Object.entries(asked)
    .filter(([name, value]) => !includes(value, got.get(name)))
    .map(([name, value]) => `${where}.${name} is ${JSON.stringify(got.get(name))} instead of ${JSON.stringify(value)}`);
}

/** Whether `made` is `asked`, except that the engine writes nothing for empty and adds to what is in objects. */
function includes(asked: unknown, made: unknown): boolean {
  if (typeof asked !== 'object' || asked === null) return asked === made;
  const wanted = Object.entries(asked);
  if (made === null || made === undefined) return wanted.length === 0;
  const got = new Map(Object.entries(made));
  if (Array.isArray(asked) && asked.length !== got.size) return false;
  return wanted.every(([name, value]) => includes(value, got.get(name)));
}

/** The labels by which a crashed owner's containers are found. */
export function containerLabels({ owner, run, job, epoch }: SandboxLabels): Record<string, string> {
  return { [`${LABEL}owner`]: owner, [`${LABEL}run`]: run, [`${LABEL}job`]: job, [`${LABEL}epoch`]: String(epoch) };
}

/** The other way round. Undefined for a container that is none of ours. */
export function labelsOf(labels: Readonly<Record<string, string>>): SandboxLabels | undefined {
  const [owner, run, job, epoch] = ['owner', 'run', 'job', 'epoch'].map((name) => labels[LABEL + name]);
  if (owner === undefined || run === undefined || job === undefined || epoch === undefined) return undefined;
  return { owner, run, job, epoch: Number(epoch) };
}
