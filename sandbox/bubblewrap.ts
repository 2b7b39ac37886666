import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { BubblewrapSandbox } from './bubblewrap-sandbox.ts';
import { startBubblewrap } from './bubblewrap-start.ts';
import { type CgroupPlace, createCgroup, endCgroups, findCgroupPlace } from './cgroups.ts';
import { type Diagnosis, type Sandbox, type SandboxDriver, SandboxUnavailable } from './sandbox.ts';
import type { SandboxLabels, SandboxSpec } from './schema.ts';

export interface BubblewrapOptions {
  /** The program, when it is not the `bwrap` of the usual directories. */
  bwrap?: string;
}

/** The processes that a sandbox has besides those of its programs, and that count in its limit. */
const OWN_PROCESSES = 3;

/** Runs the host's own programs in namespaces of their own, with a file system in memory. Linux only. */
export function createBubblewrap({ bwrap = 'bwrap' }: BubblewrapOptions = {}): SandboxDriver {
  const opened = new Map<string, { labels: SandboxLabels; sandbox?: Sandbox }>();
  let found: Promise<CgroupPlace | undefined> | undefined;
  const place = (): Promise<CgroupPlace | undefined> => {
    found ??= findCgroupPlace();
    return found;
  };
  const open = async (spec: SandboxSpec, signal?: AbortSignal): Promise<Sandbox> => {
    signal?.throwIfAborted();
    if ((spec.gpus ?? []).length > 0)
      throw new SandboxUnavailable('bubblewrap hands out no GPUs: use the docker sandbox for tasks that need them');
    const id = `${idPrefix(spec.labels.owner)}${process.pid}-${randomUUID().slice(0, 8)}`;
    opened.set(id, { labels: spec.labels });
    const sandbox = await build(bwrap, id, spec, await place(), () => opened.delete(id));
    opened.set(id, { labels: spec.labels, sandbox });
    return sandbox;
  };
  return {
    name: 'bubblewrap',
    isolates: true,
    images: null,
    diagnose: async () => await diagnose(open, (await place()) !== undefined),
    prepare: async () => {},
    open: async (spec, { signal } = {}) => await open(spec, signal),
    async reap(owner, isAlive) {
      const dead = [...opened].filter(([, { labels }]) => labels.owner === owner && !isAlive(labels));
      for (const [, { sandbox }] of dead) await sandbox?.[Symbol.asyncDispose]();
      // Of a crashed owner groups stay; its sandboxes ended with it, but for a bwrap that had only just begun: until it is bound
      // to the life of its parent, what it has forked waits for it for ever.
      const groups = await place();
      const isLeft = (name: string): boolean =>
        name.startsWith(idPrefix(owner)) && !opened.has(name) && !isOpening(name);
      const left = groups === undefined ? [] : await endCgroups(groups, isLeft);
      return [...dead.map(([id]) => id), ...left];
    },
  };
}

const idPrefix = (owner: string): string => `clade-${createHash('sha256').update(owner).digest('hex').slice(0, 12)}-`;

/** Whether another process that lives made it, and so may be about to use it. */
function isOpening(id: string): boolean {
  const pid = Number(id.split('-')[2]);
  return pid !== process.pid && existsSync(`/proc/${pid}`);
}

async function build(
  bwrap: string,
  id: string,
  spec: SandboxSpec,
  place: CgroupPlace | undefined,
  closed: () => void,
): Promise<Sandbox> {
  await using opening = new AsyncDisposableStack();
  opening.defer(closed);
  try {
    const limits = { ...spec.limits, pids: spec.limits.pids + OWN_PROCESSES };
    const cgroup = place && (await createCgroup(place, id, limits));
    opening.defer(async () => await cgroup?.remove());
    const running = opening.use(await startBubblewrap(bwrap, spec.limits, cgroup));
    const all = opening.move();
    let destroyed: Promise<void> | undefined;
    const destroy = (): Promise<void> => {
      destroyed ??= all.disposeAsync();
      return destroyed;
    };
    return new BubblewrapSandbox(spec, { id, running, cgroup, destroy });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SandboxUnavailable(`bwrap could not open a sandbox: ${why}`, { cause: error });
  }
}

/** Opens a sandbox and runs a program in it. */
async function diagnose(open: (spec: SandboxSpec) => Promise<Sandbox>, hasCgroups: boolean): Promise<Diagnosis> {
  try {
    await using sandbox = await open(trialSpec());
    const result = await sandbox.exec(['/bin/true'], { env: {}, deadlineMs: Date.now() + 5000 });
    if (result.exitCode !== 0) throw new Error(new TextDecoder().decode(result.stderr.bytes).trim());
    const limits = hasCgroups
      ? 'all limits'
      : 'no limits of memory, processes and processors (no control groups to write to)';
    const enforces = { memory: hasCgroups, pids: hasCgroups, cpus: hasCgroups, disk: true, network: true };
    return {
      driver: 'bubblewrap',
      available: true,
      detail: `bwrap works, with ${limits}, without a filter of system calls`,
      enforces,
    };
  } catch (error) {
    return missing(error instanceof Error ? error.message : String(error));
  }
}

const trialSpec = (): SandboxSpec => ({
  image: '',
  limits: { cpus: 1, memoryMiB: 64, pids: 16, diskMiB: 1 },
  deadlineMs: Date.now() + 10_000,
  labels: { owner: 'diagnosis', run: '', job: '', epoch: 0 },
});

function missing(why: string): Diagnosis {
  const enforces = { memory: false, pids: false, cpus: false, disk: false, network: false };
  const says = (detail: string, remedy: string): Diagnosis => ({
    driver: 'bubblewrap',
    available: false,
    detail,
    remedy,
    enforces,
  });
  if (process.platform !== 'linux') return says('bubblewrap needs Linux', 'use Docker');
  if (/ENOENT|not found/.test(why)) return says('bwrap is not installed', 'apt-get install bubblewrap util-linux');
  if (/uid map|new namespace|user namespace|Operation not permitted|Permission denied/i.test(why)) {
    return says(
      `bwrap may not make namespaces here: ${why}`,
      'sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0',
    );
  }
  return says(`bwrap does not work here: ${why}`, 'use Docker');
}
