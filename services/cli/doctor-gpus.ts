import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Archive, openArchive } from '#archive/archive.ts';
import type { Run } from '#archive/schema.ts';
import type { Suite } from '#benchmarks/schema.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import type { Config } from '#services/config.ts';
import { CPU_CLASS, classText, type GpuSize, gpusText, jobsAtOnce, resourceClassOf } from '#services/resource-class.ts';
import { isOver } from '#services/scheduler/run-states.ts';
import { NO_WORKER, WORKER_FOUND } from '#services/scheduler/unserved.ts';
import { detectGpus, type FoundGpus } from '#services/worker/gpus.ts';
import type { Check } from './doctor.ts';

/** The GPUs of this machine, what is wrong with them, and whether Docker can hand them out. */
export async function checkGpus({ gpus: { wanted, share } }: Config, drivers: readonly SandboxDriver[]) {
  const found = await detectGpus(wanted);
  const docker = found.gpus.length === 0 ? null : await drivers.find(({ name }) => name === 'docker')?.diagnose();
  const lacksRuntime = docker?.available === true && docker.gpus === false;
  return { found, checks: [...gpuChecks(found, share), ...(lacksRuntime ? [withoutRuntime] : [])] };
}

/** Which GPUs the tasks of a suite need that this machine does not have, in words; null when none. */
export function lackingGpus({ tasks }: Suite, gpus: readonly GpuSize[], share: number): string | null {
  const classes = tasks.map(({ resources }) => resourceClassOf(resources)).filter((name) => name !== CPU_CLASS);
  const lacking = classes.filter((name) => jobsAtOnce(name, gpus, share) === 0);
  if (lacking.length === 0) return null;
  return `${lacking.length} need what is not here: ${[...new Set(lacking)].map(classText).join(', ')}`;
}

/** Runs that go on, and of which some jobs wait for a worker that can do them. */
export async function checkRuns({ home }: Config): Promise<Check[]> {
  if (!existsSync(join(home, 'archive.sqlite'))) return [];
  try {
    await using archive = await openArchive(home, { readOnly: true });
    const unfinished = archive.runs.list().filter((run) => !isOver(run.state));
    return unfinished.flatMap((run) => waitingCheck(archive, run));
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return [{ area: 'run', name: 'runs', ok: false, detail, remedy: null }];
  }
}

function gpuChecks({ gpus, leftOut, trouble }: FoundGpus, share: number): Check[] {
  const shared = share === 1 ? '' : `, ${share} sandboxes to each`;
  const drivers = [...new Set(gpus.map(({ driver }) => driver))].join(', ');
  const here: Check[] =
    gpus.length === 0
      ? [{ ...gpuCheck, ok: true, detail: 'none here; tasks that need one wait for a worker that has it' }]
      : [{ ...gpuCheck, ok: true, detail: `${gpusText(gpus)}, driver ${drivers}${shared}` }];
  const broken = trouble === null ? [] : [{ ...gpuCheck, ok: false, detail: trouble, remedy: MEND_DRIVER }];
  const unused = leftOut.map(({ uuid, reason }) => ({ ...gpuCheck, name: uuid, ok: false, detail: reason }));
  return [...(broken.length > 0 && gpus.length === 0 ? [] : here), ...broken, ...unused];
}

const gpuCheck = { area: 'gpu', name: 'GPUs', remedy: null } as const;
const MEND_DRIVER = 'Make "nvidia-smi" work on this machine, or set CLADE_GPUS=none to do without.';

const withoutRuntime: Check = {
  ...gpuCheck,
  name: 'docker',
  ok: false,
  detail: 'Docker does not list a runtime for GPUs; some engines have it all the same',
  remedy: 'If sandboxes with GPUs fail: install the NVIDIA Container Toolkit, then systemctl restart docker',
};

/** What was said of it last. */
function waitingCheck({ events }: Archive, run: Run): Check[] {
  let last: { code: string; message: string } | null = null;
  for (let seq = 0; ; ) {
    const page = events.after({ runId: run.id, seq });
    for (const { data } of page)
      if (data.kind === 'notice' && (data.code === NO_WORKER || data.code === WORKER_FOUND)) last = data;
    if (page.length === 0) break;
    seq = page.at(-1)!.seq;
  }
  if (last?.code !== NO_WORKER) return [];
  return [{ area: 'run', name: run.id, ok: false, detail: last.message, remedy: WAIT_OR_STOP }];
}

const WAIT_OR_STOP = 'Start a worker that has what is asked ("clade worker"), or end the run ("clade stop").';
