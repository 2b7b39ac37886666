import { execFile } from 'node:child_process';
import type { Task } from '#benchmarks/schema.ts';
import { SandboxUnavailable } from '#sandbox/sandbox.ts';
import { classText, gpuNeedOf, gpusText, jobsAtOnce, resourceClassOf } from '#services/resource-class.ts';
import type { Gpu } from './fleet.ts';
import type { GpuLook } from './gpus-leftovers.ts';
import { LISTED_FIELDS, MEMORY_FIELDS, PROCESS_FIELDS, readListing, readLooks } from './gpus-listing.ts';
import { type GpuLease, GpuPool } from './gpus-pool.ts';

/** Which GPUs a worker may use: all, none, or those named by uuid or by the number that `nvidia-smi -L` gives them. */
export type WantedGpus = 'all' | 'none' | readonly string[];

export interface GpuProbeOptions {
  /** Default `nvidia-smi`, wherever PATH has it. */
  program?: string;
  /** How long it may take to answer. A machine whose driver sleeps may need seconds. Default 15,000. */
  timeoutMs?: number;
  /** Ends the asking. */
  signal?: AbortSignal | undefined;
}

/** The GPUs of this machine. */
export interface FoundGpus {
  /** Those that can be leased. */
  gpus: Gpu[];
  /** Those that are here and cannot be, each with the reason. */
  leftOut: { uuid: string; reason: string }[];
  /** Why it is not known, or not wholly, which GPUs are here; null when it is. A machine without `nvidia-smi` simply has none. */
  trouble: string | null;
}

export interface GpuChoice {
  wanted: WantedGpus;
  /** Leases that one GPU serves at a time. */
  share: number;
}

/**
 * The GPUs of this machine that work may use, ready to be leased.
 * @param say told what is wrong with them: at once, and whenever one is taken out of service or put back.
 */
export async function openGpus({ wanted, share }: GpuChoice, say: (text: string) => void): Promise<GpuPool> {
  const { gpus, leftOut, trouble } = await detectGpus(wanted);
  if (trouble !== null) say(`GPUs: ${trouble}`);
  for (const { uuid, reason } of leftOut) say(`${uuid} is left out: ${reason}`);
  return new GpuPool({
    gpus,
    share,
    look: (uuids, signal) => lookAtGpus(uuids, { signal }),
    onService: ({ uuid }, reason) =>
      say(reason === null ? `${uuid} is in service again` : `${uuid} is out of service: ${reason}`),
  });
}

/**
 * The GPUs of a task's sandboxes, for work that is no job; null for a task that needs none.
 * @throws SandboxUnavailable when there are no such GPUs here; the signal's reason.
 */
export async function leaseForTask(
  pool: GpuPool,
  { resources }: Pick<Task, 'resources'>,
  signal: AbortSignal,
): Promise<GpuLease | null> {
  const resourceClass = resourceClassOf(resources);
  const need = gpuNeedOf(resourceClass);
  if (need === null) return null;
  if (jobsAtOnce(resourceClass, pool.all(), pool.share) > 0) return pool.lease(need, signal);
  throw new SandboxUnavailable(`it needs ${classText(resourceClass)}; here is: ${gpusText(pool.all())}`);
}

/** Asks `nvidia-smi` which GPUs are here. Never throws, and answers in time whatever the driver does. */
export async function detectGpus(wanted: WantedGpus = 'all', options: GpuProbeOptions = {}): Promise<FoundGpus> {
  if (wanted === 'none') return { gpus: [], leftOut: [], trouble: null };
  const answer = await list(options);
  if (answer === 'absent') return { gpus: [], leftOut: [], trouble: missing(wanted, []) };
  const listed = readListing(answer.stdout);
  const chosen = listed.filter(({ index, uuid }) => isWanted(wanted, { index, uuid }));
  return {
    gpus: chosen.flatMap((one) => ('gpu' in one ? [one.gpu] : [])),
    leftOut: chosen.flatMap((one) => ('reason' in one ? [{ uuid: one.uuid, reason: one.reason }] : [])),
    trouble: answer.trouble ?? missing(wanted, listed),
  };
}

/**
 * What is on some GPUs now, by uuid; those that are no longer listed are left out.
 * @throws Error that says what is wrong with `nvidia-smi`.
 */
export async function lookAtGpus(
  uuids: readonly string[],
  options: GpuProbeOptions = {},
): Promise<Map<string, GpuLook>> {
  const of = `--id=${uuids.join(',')}`;
  const [memory, processes] = await Promise.all([
    ask([of, query('gpu', MEMORY_FIELDS), FORMAT], options),
    ask([of, query('compute-apps', PROCESS_FIELDS), FORMAT], options),
  ]);
  for (const answer of [memory, processes]) {
    if (answer === 'absent') throw new Error('nvidia-smi is not here any more');
    if (answer.trouble !== null) throw new Error(answer.trouble);
  }
  const text = (answer: typeof memory) => (answer === 'absent' ? '' : answer.stdout);
  return readLooks(text(memory), text(processes));
}

const FORMAT = '--format=csv,noheader,nounits';
const query = (what: string, fields: readonly string[]) => `--query-${what}=${fields.join(',')}`;

/** Drivers that have never heard of MIG are asked again without it. */
async function list(options: GpuProbeOptions): Promise<Answer> {
  const answer = await ask([query('gpu', LISTED_FIELDS), FORMAT], options);
  const isOld = answer !== 'absent' && answer.stdout.includes('not a valid field');
  return isOld ? ask([query('gpu', LISTED_FIELDS.slice(0, -1)), FORMAT], options) : answer;
}

type Answer = 'absent' | { stdout: string; trouble: string | null };

const MAX_BYTES = 4 * 1024 * 1024;
/** What it ends with when the driver is there and no GPU is. */
const NO_DEVICES = 6;

/** A program that hangs in the driver does not even die when killed, so nobody waits for its end. */
function ask(args: readonly string[], options: GpuProbeOptions): Promise<Answer> {
  const { program = 'nvidia-smi', timeoutMs = 15_000, signal } = options;
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const child = execFile(program, args, { maxBuffer: MAX_BYTES }, (error, stdout, stderr) => {
    if (error === null) resolve({ stdout, trouble: null });
    else if (error.code === 'ENOENT') resolve('absent');
    else if (Number(error.code) === NO_DEVICES) resolve({ stdout: '', trouble: null });
    else resolve({ stdout, trouble: `nvidia-smi fails (${error.code ?? error.signal}): ${said(stderr || stdout)}` });
  });
  const leave = (trouble: string) => {
    child.kill('SIGKILL');
    child.unref();
    child.stdout?.destroy();
    child.stderr?.destroy();
    resolve({ stdout: '', trouble });
  };
  const late = () => leave(`nvidia-smi does not answer within ${timeoutMs / 1000} s`);
  const ended = () => leave('nvidia-smi was not waited for');
  const impatience = setTimeout(late, timeoutMs);
  signal?.addEventListener('abort', ended, { once: true });
  if (signal?.aborted) ended();
  return promise.finally(() => {
    clearTimeout(impatience);
    signal?.removeEventListener('abort', ended);
  });
}

function said(text: string): string {
  return text.trim().replace(/\s+/g, ' ').slice(0, 300) || 'it says nothing';
}

function isWanted(wanted: WantedGpus, { index, uuid }: { index: number; uuid: string }): boolean {
  if (typeof wanted === 'string') return wanted === 'all';
  return wanted.includes(uuid) || wanted.includes(String(index));
}

/** Those that were named and are not here. */
function missing(wanted: WantedGpus, listed: readonly { index: number; uuid: string }[]): string | null {
  if (typeof wanted === 'string') return null;
  const lost = wanted.filter((name) => !listed.some((one) => isWanted([name], one)));
  return lost.length === 0 ? null : `there is no GPU ${lost.join(', ')} here: nvidia-smi -L names them`;
}
