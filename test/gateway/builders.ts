import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpenAI } from 'openai';
import { type Archive, openArchive } from '#archive/archive.ts';
import { type CallRole, type Lease, type Run, RunSpec } from '#archive/schema.ts';
import { CALL_NAME_HEADER, createGateway, type Gateway, type GatewayDependencies } from '#services/gateway/gateway.ts';
import { ModelCatalog } from '#services/gateway/models.ts';
import { createRehearsalUpstream, type ScriptedModel } from '#services/gateway/rehearsal-upstream.ts';
import { createOpenAiUpstream } from '#services/gateway/upstream.ts';

export const CATALOG = ModelCatalog.parse({
  cheap: {
    model: 'stand-in-small',
    inputUsdPerMTok: 1,
    cachedInputUsdPerMTok: 0.5,
    outputUsdPerMTok: 10,
    contextTokens: 100_000,
    maxOutputTokens: 1000,
  },
  strong: {
    model: 'stand-in-large',
    inputUsdPerMTok: 5,
    outputUsdPerMTok: 25,
    contextTokens: 200_000,
    maxOutputTokens: 4000,
  },
});

/** What a call of the stand-in provider costs with the model `cheap`: 600 * 1 + 400 * 0.5 + 50 * 10 micro-dollars. */
export const CALL_UUSD = 1300;

export interface Setup extends AsyncDisposable {
  archive: Archive;
  run: Run;
  lease: Lease;
  gateway: Gateway;
  /** Takes the job again, as after a worker died. */
  releaseAndClaim(): Lease;
  /** Asks the gateway directly. */
  ask(path: string, body?: object, options?: AskOptions): Promise<Response>;
  /** The `openai` package, talking to the gateway. It does not try again by itself. */
  client(options?: AskOptions): OpenAI;
  /** Micro-dollars of the run, by its list of spend, and as the rows of the job add up. */
  money(): { run: number; listed: number; rows: number; reserved: number };
  states(): string[];
}

export interface AskOptions {
  lease?: Lease;
  role?: CallRole;
  models?: string[];
  signal?: AbortSignal;
  /** What a worker calls the request. */
  name?: string;
}

export interface SetupOptions {
  baseUrl?: string;
  script?: ScriptedModel;
  usd?: number | null;
  jobUsd?: number | null;
  seed?: number;
  timeLimits?: GatewayDependencies['timeLimits'];
}

const RETRY = { attempts: 4, firstMs: 10, maxMs: 40, maxRetryAfterMs: 3000 };

/** A gateway over a real archive with a run and a claimed job. */
export async function setUp(options: SetupOptions = {}): Promise<Setup> {
  const home = await mkdtemp(join(tmpdir(), 'clade-test-gateway-'));
  const archive = await openArchive(home, { create: true });
  const { run, claim } = beginJob(archive, options);
  let lease = claim();
  const gateway = createGateway({
    archive,
    catalog: CATALOG,
    upstreams: {
      openai: createOpenAiUpstream({ endpointOf: () => ({ baseUrl: options.baseUrl ?? null, apiKey: 'test-key' }) }),
      rehearsal: createRehearsalUpstream(options.script ?? { chat: () => unscripted() }),
    },
    clock: Date.now,
    retry: RETRY,
    timeLimits: options.timeLimits,
  });
  const handle = (request: Request, asked: AskOptions = {}) =>
    gateway.handle({
      lease: asked.lease ?? lease,
      runId: run.id,
      role: asked.role ?? 'trial',
      models: asked.models ?? ['cheap', 'rehearsal'],
      seed: options.seed ?? 7,
      request,
    });
  return {
    archive,
    run,
    gateway,
    get lease() {
      return lease;
    },
    releaseAndClaim() {
      archive.jobs.release(lease, { reason: 'the worker died', infra: true, notBeforeMs: 0 }, Date.now());
      lease = claim();
      return lease;
    },
    ask: (path, body, asked) => handle(requestOf(path, body, asked), asked),
    client: (asked) =>
      new OpenAI({
        baseURL: 'http://relay/v1',
        apiKey: 'none',
        maxRetries: 0,
        fetch: async (url, init) => handle(new Request(url, init), asked),
      }),
    money: () => moneyOf(archive, run, lease),
    states: () => archive.ledger.calls(lease.jobId).map((call) => call.state),
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await archive[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

function beginJob(archive: Archive, { usd = null, jobUsd = null }: SetupOptions) {
  const nowMs = Date.now();
  const spec = RunSpec.parse({ budget: { usd } });
  const seed = { commit: 'c'.repeat(40), tree: 'd'.repeat(40), summary: 'the seed agent' };
  const run = archive.runs.create({ spec, suiteDigest: 'none', tasks: ['a'], prices: CATALOG, roots: [seed], nowMs });
  const action = { kind: 'evaluate', agent: `${run.id}-a1`, task: 'a', attempt: 1 } as const;
  const jobId = archive.decisions.record(
    { runId: run.id, ordinal: 1, asOfSeq: 1, nowMs, action, candidates: 1, top: [], digest: '', durationUs: 1 },
    { jobBudgetUusd: jobUsd === null ? null : jobUsd * 1e6 },
  );
  const claim = (): Lease => {
    const lease = jobId === null ? null : archive.jobs.claim(jobId, 'test', 60_000, Date.now());
    if (lease === null) throw new Error('the job was not to be had');
    return lease;
  };
  return { run, claim };
}

function requestOf(path: string, body: object | undefined, { signal, name }: AskOptions = {}): Request {
  const init = body === undefined ? { method: 'GET' } : { method: 'POST', body: JSON.stringify(body) };
  const headers = { 'content-type': 'application/json', ...(name === undefined ? {} : { [CALL_NAME_HEADER]: name }) };
  return new Request(`http://relay${path}`, { ...init, headers, signal });
}

function moneyOf(archive: Archive, run: Run, lease: Lease) {
  const { spentUusd = -1, reservedUusd = -1 } = archive.runs.get(run.id) ?? {};
  const rows = archive.ledger.calls(lease.jobId);
  const listed = archive.ledger.spend(run.id).reduce((sum, one) => sum + one.spentUusd, 0);
  return { run: spentUusd, listed, rows: rows.reduce((sum, one) => sum + one.spentUusd, 0), reserved: reservedUusd };
}

function unscripted(): never {
  throw new Error('this test scripted no model');
}

/** A chat of one message, long enough for what it is said to cost. */
export function chat(content: string, more: object = {}) {
  return { model: 'cheap', messages: [{ role: 'user' as const, content }], ...more };
}
