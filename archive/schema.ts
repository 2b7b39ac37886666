import { z } from 'zod';

// Ids. A run's is random; everything in a run is numbered from 1 in the order of its decisions, so that the same decisions
// give the same numbers. Ids never enter a prompt or a commit.
export const RunId = z.string().regex(/^r[0-9a-hjkmnp-tv-z]{6}$/, 'a run id such as rk7m2pq');
export type RunId = z.infer<typeof RunId>;
export const AgentId = z.templateLiteral([RunId, '-a', z.int()], 'must be an agent id such as rk7m2pq-a1');
export type AgentId = z.infer<typeof AgentId>;
export const ProposalId = z.templateLiteral([RunId, '-p', z.int()]);
export type ProposalId = z.infer<typeof ProposalId>;
export const TrialId = z.templateLiteral([RunId, '-t', z.int()]);
export type TrialId = z.infer<typeof TrialId>;
/** A job is a proposal or a trial as handed to a worker, and goes by its id. */
export const JobId = z.union([ProposalId, TrialId]);
export type JobId = z.infer<typeof JobId>;

/** Which policy decides what a run does next, with its options. Defaults are the papers'. */
export const PolicySpec = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('hgm'),
    alpha: z.number().min(0).max(1).default(0.6).describe('Propose while trials^alpha >= agents.'),
    coolDown: z.boolean().default(true).describe('Sharpen the draws as the budget is used up (tau = B / b).'),
    championPercentile: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.01)
      .describe('Percentile of Beta(1+s, 1+f) by which the champion leads.'),
    firstChildren: z
      .number()
      .int()
      .nonnegative()
      .default(5)
      .describe('Children of the seed agent before anything else.'),
  }),
  z.strictObject({
    kind: z.literal('dgm'),
    stageTasks: z.tuple([z.int().positive(), z.int().nonnegative()]).default([10, 50]),
    stageThreshold: z.number().min(0).max(1).default(0.4),
    selfImprovement: z.boolean().default(true).describe('False: the seed agent makes every edit.'),
  }),
  z.strictObject({ kind: z.literal('greedy'), trialsPerAgent: z.int().positive().default(10) }),
  z.strictObject({ kind: z.literal('uniform'), trialsPerAgent: z.int().positive().default(10) }),
  z
    .strictObject({
      kind: z.literal('measure'),
      agents: z
        .array(AgentId)
        .min(1)
        .max(100)
        .describe('Agents of any runs, each to be tried on the same tasks; the others are compared with the first.'),
      repeats: z.int().min(1).max(100).default(1).describe('Trials of each agent on each task.'),
      part: z
        .enum(['held-out', 'search', 'all'])
        .default('held-out')
        .describe(
          "Without `tasks`: those that the agents' own runs held out and none searched, those searched, or all.",
        ),
    })
    .describe('Breeds nothing: adopts agents of other runs and compares them.'),
]);
export type PolicySpec = z.infer<typeof PolicySpec>;

/** Every limit is optional; a run stops at the first it meets and says which. Null: no limit. */
export const Budget = z.strictObject({
  usd: z.number().positive().max(1_000_000).nullable().default(null).describe('Model spend in US dollars.'),
  trials: z.int().positive().nullable().default(null),
  proposals: z.int().positive().nullable().default(null),
  agents: z.int().positive().nullable().default(null).describe('Agents in the lineage, the seed agent included.'),
  hours: z.number().positive().nullable().default(null).describe('Wall-clock hours while running.'),
  fruitless: z
    .int()
    .positive()
    .nullable()
    .default(100)
    .describe('Proposals in a row that end without a child: policies do not count those, and would propose for ever.'),
});
export type Budget = z.infer<typeof Budget>;

/** Which tasks of a suite a search never meets. The same split of the same suite holds out the same tasks in every run. */
export const Split = z.strictObject({
  heldOut: z
    .number()
    .min(0)
    .max(0.9)
    .default(0)
    .describe('Share of the suite that is held out: at least one task unless it is 0, which holds nothing out.'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1)
    .describe('Which tasks these are; nothing else depends on it.'),
});
export type Split = z.infer<typeof Split>;

/** What an operator asks for. Parsing fills in every default; the filled-in form is stored and shown back. */
export const RunSpec = z.strictObject({
  name: z.string().min(1).max(80).default('unnamed'),
  suite: z.string().min(1).default('katas'),
  tasks: z.array(z.string()).min(1).nullable().default(null).describe('Only these tasks of the suite.'),
  split: Split.prefault({}),
  policy: PolicySpec.prefault({ kind: 'hgm' }),
  randomSeed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(1),
  models: z
    .strictObject({
      trial: z.string().min(1).default('rehearsal'),
      diagnosis: z.string().min(1).default('rehearsal'),
      selfEdit: z.string().min(1).default('rehearsal'),
    })
    .prefault({}),
  slots: z.int().min(1).max(1024).default(2).describe('Jobs under way at once.'),
  sandbox: z.enum(['auto', 'docker', 'bubblewrap', 'process']).default('auto'),
  allowUnsandboxed: z
    .boolean()
    .default(false)
    .describe('Let a real model drive the process driver, which isolates nothing.'),
  budget: Budget.prefault({}),
  limits: z
    .strictObject({
      trialSeconds: z.number().positive().default(600),
      proposalSeconds: z
        .number()
        .positive()
        .default(1200)
        .describe('The self-edit alone; viability has its own deadlines.'),
      trialUsd: z.number().positive().nullable().default(null),
      proposalUsd: z.number().positive().nullable().default(null),
      cpus: z.number().positive().default(1),
      memoryMiB: z.int().positive().default(1024),
      pids: z.int().positive().default(256),
      diskMiB: z.int().positive().default(512),
    })
    .prefault({}),
  smokeTask: z
    .string()
    .nullable()
    .default(null)
    .describe('Task a child must solve to be viable; default the first of the suite that needs no special ability.'),
  finalMeasure: z
    .boolean()
    .default(true)
    .describe('At the end, measure seed agent and champion on every task not yet tried.'),
});
export type RunSpec = z.infer<typeof RunSpec>;

/**
 * `running` -> `closing` (final measure) -> `finished`; either -> `pausing` -> `paused` -> back to it; all of these ->
 * `stopping` -> `stopped`. Jobs are handed out while running or closing alone: in a paused run they wait.
 * `failed`: the service could not go on; `reason` says why.
 */
export const RunState = z.enum([
  'running',
  'pausing',
  'paused',
  'closing',
  'stopping',
  'stopped',
  'finished',
  'failed',
]);
export type RunState = z.infer<typeof RunState>;

export const Run = z.object({
  id: RunId,
  spec: RunSpec,
  state: RunState,
  reason: z.string().nullable(),
  suiteDigest: z.string(),
  createdAt: z.int().describe('Milliseconds since the epoch.'),
  endedAt: z.int().nullable(),
  spentUusd: z.int().describe('Micro-dollars of settled and ambiguous calls.'),
  reservedUusd: z.int().describe('Micro-dollars held for calls under way.'),
  counts: z.object({ agents: z.int(), proposals: z.int(), trials: z.int(), trialsSettled: z.int() }),
});
export type Run = z.infer<typeof Run>;

/** A node of the lineage. Own evidence: `n` counted trials with sum of scores `s`; clade evidence over it and all descendants. */
export const Agent = z.object({
  id: AgentId,
  runId: RunId,
  ordinal: z.int(),
  parentId: AgentId.nullable(),
  proposalId: ProposalId.nullable(),
  originId: AgentId.nullable().describe('The agent of another run that it was adopted from, to be measured.'),
  commit: z.string(),
  tree: z.string(),
  generation: z.int(),
  summary: z.string(),
  createdAt: z.int(),
  n: z.int(),
  s: z.number(),
  cladeN: z.int(),
  cladeS: z.number(),
  children: z.int(),
});
export type Agent = z.infer<typeof Agent>;

/** What became of an attempt to make a child: `joined` the lineage, or the first step it failed. */
export const ProposalOutcome = z.enum([
  'joined',
  'no-diagnosis',
  'empty',
  'does-not-apply',
  'forbidden-path',
  'too-large',
  'duplicate',
  'does-not-parse',
  'own-tests-fail',
  'does-not-start',
  'fails-smoke',
  'cannot-self-edit',
  'timeout',
  'crashed',
  'infra',
  'cancelled',
]);
export type ProposalOutcome = z.infer<typeof ProposalOutcome>;

export const ViabilityStep = z.object({
  step: z.enum(['apply', 'paths', 'duplicate', 'parse', 'own-tests', 'start', 'smoke', 'self-edit']),
  passed: z.boolean(),
  detail: z.string().describe('One line; what the step printed goes to the transcript.'),
  durationMs: z.int(),
});
export type ViabilityStep = z.infer<typeof ViabilityStep>;

export const Evidence = z.object({
  kind: z.enum(['failed-task', 'empty-patches', 'timeouts', 'unstable', 'none']),
  trialIds: z.array(TrialId),
});
export type Evidence = z.infer<typeof Evidence>;

export const Proposal = z.object({
  id: ProposalId,
  runId: RunId,
  ordinal: z.int(),
  parentId: AgentId,
  /** Who makes the edit: the parent, but for the no-self-improvement baseline. */
  editorId: AgentId,
  evidence: Evidence,
  outcome: ProposalOutcome.nullable(),
  reason: z.string().nullable(),
  agentId: AgentId.nullable(),
  title: z.string().nullable(),
  diagnosis: z.string().nullable(),
  steps: z.array(ViabilityStep),
  patchBlob: z.string().nullable(),
  transcriptBlob: z.string().nullable(),
  spentUusd: z.int(),
  begunAt: z.int(),
  settledAt: z.int().nullable(),
});
export type Proposal = z.infer<typeof Proposal>;

/**
 * `tampered`: its tests were made to look passed. `infra` (our fault, retried, then set aside) and `cancelled` (the run was
 * stopped) never count as evidence.
 */
export const TrialOutcome = z.enum([
  'resolved',
  'unresolved',
  'tampered',
  'empty-patch',
  'bad-patch',
  'timeout',
  'crashed',
  'infra',
  'cancelled',
]);
export type TrialOutcome = z.infer<typeof TrialOutcome>;

/** A part of a patch and the rule by which it was noticed. */
const Noticed = z.object({ path: z.string(), rule: z.string() });

/** What was done against cheating when a patch was graded, and what came of it. */
export const GradingNotes = z.object({
  removed: z.array(Noticed).describe('Left out of the patch before it was applied. The stored patch still has it.'),
  flagged: z.array(Noticed).describe('Left in, though it can bend a test run.'),
  wholePatch: z
    .object({ resolved: z.boolean(), reason: z.string() })
    .nullable()
    .describe('The verdict on the patch with nothing left out, where it differs from the one that counts.'),
  canary: z
    .enum(['failed', 'passed', 'missing', 'none', 'not-run'])
    .describe('What became of tests that must fail; failed is good. none: there are none for tests of this kind.'),
  audit: z.array(z.string()).describe('What looks odd in the transcript. Changes no verdict.'),
  image: z.string().nullable().describe('What it was graded in, by a name that cannot come to mean another.'),
});
export type GradingNotes = z.infer<typeof GradingNotes>;

export const Trial = z.object({
  id: TrialId,
  runId: RunId,
  ordinal: z.int(),
  agentId: AgentId,
  task: z.string(),
  attempt: z.int().describe('1 for the first time this agent meets this task.'),
  outcome: TrialOutcome.nullable(),
  y: z.number().min(0).max(1).nullable().describe('Score; null until settled and for outcomes that do not count.'),
  reason: z.string().nullable(),
  patchBlob: z.string().nullable(),
  transcriptBlob: z.string().nullable(),
  graderLogBlob: z.string().nullable(),
  grading: GradingNotes.nullable(),
  spentUusd: z.int(),
  solveMs: z.int().nullable(),
  gradeMs: z.int().nullable(),
  begunAt: z.int(),
  settledAt: z.int().nullable(),
});
export type Trial = z.infer<typeof Trial>;

/** What a worker may do: complete this job, once, until the lease ends. A stale epoch changes nothing. */
export const Lease = z.object({ jobId: JobId, epoch: z.int().positive() });
export type Lease = z.infer<typeof Lease>;

/** `ready` -> `leased` -> `done`; back to `ready` when a lease ends or the harness failed; `cancelled` with its run. */
export const JobState = z.enum(['ready', 'leased', 'done', 'cancelled']);

export const Job = z.object({
  id: JobId,
  runId: RunId,
  state: JobState,
  epoch: z.int(),
  worker: z.string().nullable(),
  leaseUntil: z.int().nullable(),
  notBefore: z.int(),
  infraFailures: z.int(),
  /** What a worker must have to do it: `cpu`, or the name of what GPUs its task needs. */
  resourceClass: z.string(),
});
export type Job = z.infer<typeof Job>;

/** What an operator wants of a worker. `draining` and `removed` workers leave; removed ones are not let in again. */
export const WorkerDesired = z.enum(['active', 'cordoned', 'draining', 'removed']);
export type WorkerDesired = z.infer<typeof WorkerDesired>;

/**
 * What is kept of a worker. `instance` is the process that last came under the name, empty once that has left; `description`
 * is what it said of itself.
 */
export interface StoredWorker {
  name: string;
  instance: string;
  description: unknown;
  desired: WorkerDesired;
  /** Milliseconds since the epoch; the last one to the minute. */
  firstSeenMs: number;
  lastSeenMs: number;
}

/** How a trial ended, as a worker reports it. Texts are stored as blobs. */
export const TrialResult = z.object({
  kind: z.literal('trial'),
  outcome: TrialOutcome,
  y: z.number().min(0).max(1).nullable(),
  reason: z.string(),
  patch: z.string().nullable(),
  transcript: z.string(),
  graderLog: z.string().nullable(),
  grading: GradingNotes.nullable().describe('Null when nothing was graded.'),
  solveMs: z.int(),
  gradeMs: z.int(),
});
export type TrialResult = z.infer<typeof TrialResult>;

/** How a proposal ended. `viable` carries the staged tree and becomes `joined` when the child is committed. */
export const ProposalResult = z.object({
  kind: z.literal('proposal'),
  outcome: z.union([ProposalOutcome.exclude(['joined']), z.literal('viable')]),
  reason: z.string(),
  title: z.string().nullable(),
  diagnosis: z.string().nullable(),
  tree: z.string().nullable().describe('Git tree id of the staged child; set exactly when viable.'),
  steps: z.array(ViabilityStep),
  patch: z.string().nullable(),
  transcript: z.string(),
});
export type ProposalResult = z.infer<typeof ProposalResult>;
export const JobResult = z.discriminatedUnion('kind', [TrialResult, ProposalResult]);
export type JobResult = z.infer<typeof JobResult>;

/** One candidate as a policy saw it: the evidence it drew on, and the draw. */
export const Draw = z.object({ agentId: AgentId, evidence: z.record(z.string(), z.number()), value: z.number() });
export type Draw = z.infer<typeof Draw>;

export const Action = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('propose'), parent: AgentId, editor: AgentId }),
  z.object({ kind: z.literal('evaluate'), agent: AgentId, task: z.string(), attempt: z.int() }),
  z.object({ kind: z.literal('wait') }),
  z.object({ kind: z.literal('finish'), reason: z.string() }),
]);
export type Action = z.infer<typeof Action>;

/**
 * A journaled decision. What the policy saw is the fold of the run's events up to `asOfSeq`; its random numbers come from
 * (run's random seed, `ordinal`); `nowMs` is the clock it was given. So it can be recomputed, and `digest` (over every
 * candidate's evidence and draw) tells whether it came out the same.
 */
export const Decision = z.object({
  runId: RunId,
  ordinal: z.int(),
  asOfSeq: z.int(),
  nowMs: z.int(),
  action: Action,
  candidates: z.int(),
  top: z.array(Draw).describe('The largest draws, at most 8, the chosen one first.'),
  digest: z.string(),
  durationUs: z.int(),
});
export type Decision = z.infer<typeof Decision>;

/** Everything that happened to a run, in order. The scheduler's picture of a run is the fold of these. */
export const EventData = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('run-created'),
    tasks: z.array(z.string()).describe('Those that the run decides about, by index.'),
    heldOut: z.array(z.string()).describe('Those that it never meets.'),
  }),
  z.object({ kind: z.literal('run-state'), state: RunState, reason: z.string().nullable() }),
  z.object({
    kind: z.literal('agent-joined'),
    agent: AgentId,
    parent: AgentId.nullable(),
    proposal: ProposalId.nullable(),
    commit: z.string(),
    summary: z.string(),
  }),
  z.object({ kind: z.literal('proposal-begun'), proposal: ProposalId, parent: AgentId }),
  z.object({
    kind: z.literal('proposal-settled'),
    proposal: ProposalId,
    parent: AgentId,
    outcome: ProposalOutcome,
    agent: AgentId.nullable(),
    spentUusd: z.int(),
  }),
  z.object({ kind: z.literal('trial-begun'), trial: TrialId, agent: AgentId, task: z.string(), attempt: z.int() }),
  z.object({
    kind: z.literal('trial-settled'),
    trial: TrialId,
    agent: AgentId,
    task: z.string(),
    outcome: TrialOutcome,
    y: z.number().nullable(),
    spentUusd: z.int(),
  }),
  z.object({ kind: z.literal('job-claimed'), job: JobId, worker: z.string(), epoch: z.int() }),
  z.object({ kind: z.literal('job-requeued'), job: JobId, reason: z.string() }),
  z
    .object({ kind: z.literal('service-away'), fromMs: z.int(), untilMs: z.int() })
    .describe('Nobody worked on the run meanwhile: the service was not there.'),
  z.object({
    kind: z.literal('notice'),
    level: z.enum(['info', 'warning', 'error']),
    code: z.string(),
    message: z.string(),
  }),
]);
export type EventData = z.infer<typeof EventData>;
export const Event = z.object({ seq: z.int(), runId: RunId, at: z.int(), data: EventData });
export type Event = z.infer<typeof Event>;

/** Who a model call is for; spend is shown by these. */
export const CallRole = z.enum(['trial', 'diagnosis', 'selfEdit', 'viability']);
export type CallRole = z.infer<typeof CallRole>;

/** `reserved` -> `sent` -> `settled` | `ambiguous`; `reserved` | `sent` -> `released` when it surely was not processed. */
export const CallState = z.enum(['reserved', 'sent', 'settled', 'ambiguous', 'released']);
export type CallState = z.infer<typeof CallState>;

export const Call = z.object({
  id: z.int(),
  runId: RunId,
  jobId: JobId,
  epoch: z.int(),
  role: CallRole,
  model: z.string(),
  /** SHA-256 of path and canonical request body, and how many equal ones this job's lease had made before. */
  requestDigest: z.string(),
  occurrence: z.int(),
  state: CallState,
  reservedUusd: z.int(),
  spentUusd: z.int(),
  inputTokens: z.int().nullable(),
  outputTokens: z.int().nullable(),
  latencyMs: z.int().nullable(),
  replayed: z.boolean().describe('Served from an earlier epoch of the same job, at no cost.'),
  at: z.int(),
});
export type Call = z.infer<typeof Call>;

/** Whose money a model call would break. */
export const BudgetScope = z.enum(['run', 'job']);
export type BudgetScope = z.infer<typeof BudgetScope>;
