import { z } from 'zod';
import type { JobResult } from '#archive/schema.ts';
import {
  AgentId,
  Evidence,
  JobId,
  Lease,
  ProposalOutcome,
  ProposalResult,
  RunId,
  RunSpec,
  TrialOutcome,
  TrialResult,
} from '#archive/schema.ts';
import type { Task } from '#benchmarks/schema.ts';
import type { ClaimedJob, PastTrial, Progress, Staged } from './control-client.ts';

/** SHA-256 (hex) of a blob's bytes, which is its name. */
export const Digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in hex');

/** Texts of at most so many bytes travel within the message; longer ones by the digest of their UTF-8. */
const LONGEST_TEXT_WITHIN = 32 * 1024;

const WireText = z.union([z.strictObject({ text: z.string() }), z.strictObject({ blob: Digest })]);
type WireText = z.infer<typeof WireText>;

const common = {
  lease: Lease,
  leaseMs: z.int().positive(),
  runId: RunId,
  spec: RunSpec,
  owner: z.string(),
} as const;

/** A claimed job as it travels: tasks and long texts by digest. */
export const WireJob = z.discriminatedUnion('kind', [
  z.strictObject({
    ...common,
    kind: z.literal('trial'),
    agent: z.strictObject({ id: AgentId, tree: z.string() }),
    task: Digest,
    model: z.string(),
  }),
  z.strictObject({
    ...common,
    kind: z.literal('proposal'),
    parent: z.strictObject({ id: AgentId, commit: z.string(), tree: z.string() }),
    editor: z.strictObject({ id: AgentId, tree: z.string() }),
    evidence: Evidence,
    past: z.array(
      z.strictObject({
        task: z.string(),
        instruction: z.string(),
        outcome: TrialOutcome.nullable(),
        y: z.number().nullable(),
        patch: WireText.nullable(),
        transcript: WireText,
      }),
    ),
    tried: z.array(z.strictObject({ title: z.string(), outcome: ProposalOutcome })),
    smokeTask: Digest,
  }),
]);
export type WireJob = z.infer<typeof WireJob>;

/** A job's result as it travels. */
export const WireResult = z.discriminatedUnion('kind', [
  TrialResult.extend({ patch: WireText.nullable(), transcript: WireText, graderLog: WireText.nullable() }),
  ProposalResult.extend({ patch: WireText.nullable(), transcript: WireText }),
]);
export type WireResult = z.infer<typeof WireResult>;

const Epoch = Lease.shape.epoch;
const stages = ['preparing', 'diagnosing', 'editing', 'checking', 'solving', 'grading'] as const;
const rejections = ['empty', 'does-not-apply', 'forbidden-path', 'too-large', 'duplicate'] as const;

/** What is asked of control about one job, and its answers. All but a claim name the lease by its epoch. */
export const ClaimBody = z.strictObject({
  worker: z.string().min(1).max(200),
  /** Of the asker's making: the same claim asked again has the same answer. */
  claim: z.string().min(8).max(64),
});
export const ClaimAnswer = z.strictObject({ job: WireJob.nullable() });
export const RenewBody = z.strictObject({ epoch: Epoch });
export const ProgressBody = z.strictObject({
  epoch: Epoch,
  stage: z.enum(stages satisfies readonly Progress['stage'][]),
  detail: z.string(),
});
export const CompleteBody = z.strictObject({ epoch: Epoch, result: WireResult });
export const ReleaseBody = z.strictObject({ epoch: Epoch, reason: z.string(), infra: z.boolean() });
export const StageBody = z.strictObject({ epoch: Epoch, parentCommit: z.string(), patch: z.string() });
/** To a renewal and a completion: false when the lease was stale. */
export const HeldAnswer = z.strictObject({ held: z.boolean() });
export const StagedAnswer = z.union([
  z.strictObject({ tree: z.string() }),
  z.strictObject({ rejected: z.enum(rejections), detail: z.string() }),
]) satisfies z.ZodType<Staged>;
export const JobParams = z.object({ id: JobId });

/** A number in a header. */
export const Count = z.coerce.number().pipe(z.int().nonnegative());
/** Of a model call, of the worker's making: asked again, it has the same answer. */
export const CALL_HEADER = 'clade-call';
/** Path of a model call as the sandbox wrote it. Not part of the address: nothing that an agent writes may be unfit for that. */
export const PATH_HEADER = 'clade-path';
/** Of such a path: far beyond all that the gateway serves. */
export const PATH_CHARS = 2_000;
/** How many bytes of the answer to a model call the worker has already. */
export const FROM_HEADER = 'clade-from';
/** The epoch of a model call's lease. */
export const EPOCH_HEADER = 'clade-epoch';
/** On what the gateway answered: everything else on that path is an answer of the service itself. */
export const GATEWAY_HEADER = 'clade-gateway';
/** SHA-256 (hex) of an agent's source. */
export const DIGEST_HEADER = 'clade-digest';
/** How many bytes of an upload are there, and how many it has in all. */
export const OFFSET_HEADER = 'upload-offset';
export const LENGTH_HEADER = 'upload-length';
/** The most that one request of an upload carries. */
export const PIECE_BYTES = 4 * 1024 * 1024;

/** Puts bytes where the other side gets them, and says by which digest. */
export type PutBlob = (bytes: Uint8Array) => Promise<string>;
export type GetBlob = (digest: string) => Promise<Uint8Array>;

/** @param digestOfTask makes a task to be had by the digest of its encoding. */
export async function packJob(job: ClaimedJob, put: PutBlob, digestOfTask: (task: Task) => Promise<string>) {
  if (job.kind === 'trial') return { ...job, task: await digestOfTask(job.task) } satisfies WireJob;
  const past = await Promise.all(
    job.past.map(async (trial) => ({
      ...trial,
      patch: await packOptional(trial.patch, put),
      transcript: await packText(trial.transcript, put),
    })),
  );
  return { ...job, past, smokeTask: await digestOfTask(job.smokeTask) } satisfies WireJob;
}

/** @throws what `get` throws. */
export async function unpackJob(
  job: WireJob,
  get: GetBlob,
  taskOf: (digest: string) => Promise<Task>,
): Promise<ClaimedJob> {
  if (job.kind === 'trial') return { ...job, task: await taskOf(job.task) };
  const past = await Promise.all(
    job.past.map(
      async (trial): Promise<PastTrial> => ({
        ...trial,
        patch: await unpackOptional(trial.patch, get),
        transcript: await unpackText(trial.transcript, get),
      }),
    ),
  );
  return { ...job, past, smokeTask: await taskOf(job.smokeTask) };
}

export async function packResult(result: JobResult, put: PutBlob): Promise<WireResult> {
  const [patch, transcript] = [await packOptional(result.patch, put), await packText(result.transcript, put)];
  if (result.kind === 'proposal') return { ...result, patch, transcript };
  return { ...result, patch, transcript, graderLog: await packOptional(result.graderLog, put) };
}

/** @throws what `get` throws. */
export async function unpackResult(result: WireResult, get: GetBlob): Promise<JobResult> {
  const patch = await unpackOptional(result.patch, get);
  const transcript = await unpackText(result.transcript, get);
  if (result.kind === 'proposal') return { ...result, patch, transcript };
  return { ...result, patch, transcript, graderLog: await unpackOptional(result.graderLog, get) };
}

async function packOptional(text: string | null, put: PutBlob): Promise<WireText | null> {
  return text === null ? null : packText(text, put);
}

async function packText(text: string, put: PutBlob): Promise<WireText> {
  if (Buffer.byteLength(text) <= LONGEST_TEXT_WITHIN) return { text };
  return { blob: await put(Buffer.from(text)) };
}

async function unpackOptional(text: WireText | null, get: GetBlob): Promise<string | null> {
  return text === null ? null : unpackText(text, get);
}

/** Buffer's way to text, since a TextDecoder would take a mark at the beginning for the encoding's and drop it. */
async function unpackText(text: WireText, get: GetBlob): Promise<string> {
  return 'text' in text ? text.text : Buffer.from(await get(text.blob)).toString();
}
