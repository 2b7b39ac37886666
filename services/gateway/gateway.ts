import { createHash } from 'node:crypto';
import type { Archive } from '#archive/archive.ts';
import { BudgetExceeded, StaleLease } from '#archive/errors.ts';
import type { CallRole, Lease, RunId } from '#archive/schema.ts';
import { DEFAULT_RETRY, type RetryPolicy } from './classify.ts';
import { apiError, errorResponse } from './errors.ts';
import { CallLedger } from './ledger.ts';
import { likenessOf } from './likeness.ts';
import { type LiveCall, type LiveCallDependencies, makeCall, replyResponse } from './live-call.ts';
import type { CatalogEntry, ModelCatalog } from './models.ts';
import { DEFAULT_TIME_LIMITS, type TimeLimits } from './patience.ts';
import { type ModelPrice, PriceTable } from './prices.ts';
import type { Span } from './readings.ts';
import { type CheckedRequest, canonicalJson, checkRequest } from './requests.ts';
import type { CallPath, Upstream } from './upstream-contract.ts';

/** What a worker calls a request, to ask for its answer again should that be lost on the way. Sandboxes cannot set it. */
export const CALL_NAME_HEADER = 'clade-call';

export interface GatewayDependencies {
  archive: Pick<Archive, 'ledger' | 'blobs' | 'runs'>;
  catalog: ModelCatalog;
  upstreams: Record<CatalogEntry['upstream'], Upstream>;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Told of failures of our own, such as an archive that cannot be written; the client gets a 503. */
  onFault?: (error: unknown) => void;
  retry?: RetryPolicy;
  timeLimits?: TimeLimits;
}

/** A request of a job, and what it may do. */
export interface GatewayCall {
  lease: Lease;
  runId: RunId;
  role: CallRole;
  /** Names of the catalogue that the job may use. */
  models: readonly string[];
  /** The run's random seed. */
  seed: number;
  request: Request;
}

/** The only way to a model. Disposing of it ends the calls under way, which are charged in full, and waits for them. */
export interface Gateway extends AsyncDisposable {
  /**
   * Answers a request of the OpenAI API: `POST /v1/chat/completions` and `/v1/responses`, `GET /v1/models` and
   * `/v1/models/{name}`. Streams when asked to. Every failure is an answer in the API's own form; `x-clade-infra` is set on
   * those that are no fault of the agent. Once a call has left, it is followed to its end and settled even when the
   * request's signal aborts or nobody reads the answer. Never throws.
   */
  handle(call: GatewayCall): Promise<Response>;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
}

export function createGateway(deps: GatewayDependencies): Gateway {
  const closing = new AbortController();
  const ledger = new CallLedger(deps.archive, deps.clock);
  const live: LiveCallDependencies = {
    ledger,
    retry: deps.retry ?? DEFAULT_RETRY,
    timeLimits: deps.timeLimits ?? DEFAULT_TIME_LIMITS,
    closing: closing.signal,
  };
  const prices = new Map<RunId, PriceTable>();
  const pricesOf = (runId: RunId) => {
    const table = prices.get(runId) ?? PriceTable.parse(deps.archive.runs.prices(runId));
    prices.set(runId, table);
    return table;
  };
  const begun = new Map<RunId, number>();
  const begunAtMs = (runId: RunId) => {
    const atMs = begun.get(runId) ?? deps.archive.runs.get(runId)?.createdAt ?? 0;
    begun.set(runId, atMs);
    return atMs;
  };

  async function post(path: CallPath, call: GatewayCall): Promise<Response> {
    const request = await checked(path, call.request);
    if (request instanceof Response) return request;
    const model = chosenModel(request.model, call, deps.catalog, pricesOf(call.runId));
    if ('refused' in model) return model.refused;
    const { lease, role, seed, runId } = call;
    const requestDigest = digestOf(request, { fromMs: begunAtMs(runId), toMs: deps.clock() });
    const client = call.request.signal;
    const name = call.request.headers.get(CALL_NAME_HEADER);
    const ledgerCall = { lease, role, model: request.model, requestDigest, client, name };
    const recorded = await ledger.replay(ledgerCall, AbortSignal.any([client, closing.signal]));
    if (recorded !== null) return replyResponse(recorded, request.stream);
    const upstream = deps.upstreams[model.entry.upstream];
    return makeCall({ request, ...model, upstream, seed, ledgerCall } satisfies LiveCall, live);
  }

  return {
    async handle(call) {
      const { method } = call.request;
      const { pathname: path } = new URL(call.request.url);
      try {
        if (method === 'GET' && path === '/v1/models') return modelList(call.models);
        if (method === 'GET' && path.startsWith('/v1/models/')) return oneModel(path, call.models);
        if (method === 'POST' && (path === '/v1/chat/completions' || path === '/v1/responses'))
          return await post(path, call);
        return unknownUrl(method, path);
      } catch (error) {
        if (closing.signal.aborted) return shuttingDown();
        return refusal(error, call, deps.onFault);
      }
    },
    idle: () => ledger.idle(),
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('the service is shutting down'));
      await ledger.idle();
    },
  };
}

async function checked(path: CallPath, request: Request): Promise<CheckedRequest | Response> {
  let json: unknown;
  try {
    json = await request.json();
  } catch {
    return errorResponse(400, apiError('invalid_request_error', 'invalid_json', 'The request body is not JSON.'));
  }
  const result = checkRequest(path, json);
  return 'refused' in result ? errorResponse(400, result.refused) : result;
}

/** A model counts only if the job may use it, it is there, and the run knows what it costs. */
function chosenModel(
  name: string,
  { models }: GatewayCall,
  catalog: ModelCatalog,
  prices: PriceTable,
): { entry: CatalogEntry; price: ModelPrice } | { refused: Response } {
  if (!models.includes(name)) return { refused: unknownModel(name, models) };
  const entry = Object.hasOwn(catalog, name) ? catalog[name] : undefined;
  const price = Object.hasOwn(prices, name) ? prices[name] : undefined;
  return entry === undefined || price === undefined ? { refused: missingModel(name) } : { entry, price };
}

function digestOf(request: CheckedRequest, span: Span): string {
  return createHash('sha256')
    .update(`${request.path}\n${canonicalJson(likenessOf(request, span))}`)
    .digest('hex');
}

function modelList(models: readonly string[]): Response {
  return Response.json({ object: 'list', data: models.map(modelObject) });
}

function oneModel(path: string, models: readonly string[]): Response {
  const written = path.slice('/v1/models/'.length);
  // Compared as a URL writes it: what a client sent need not be well-formed.
  const name = models.find((model) => written === model || written === encodeURIComponent(model));
  return name === undefined ? unknownModel(written, models) : Response.json(modelObject(name));
}

function modelObject(id: string) {
  return { id, object: 'model', created: 0, owned_by: 'clade' };
}

function unknownModel(name: string, models: readonly string[]): Response {
  const message = `The model '${name}' is not among those this job may use: ${models.join(', ') || 'none'}.`;
  return errorResponse(404, apiError('invalid_request_error', 'model_not_found', message, 'model'), {
    shouldRetry: false,
  });
}

/** The run was begun with a model that the operator has since taken out of the catalogue. */
function missingModel(name: string): Response {
  const message = `Model ${name} is not in the catalogue any more: put it back into the file that CLADE_MODELS names.`;
  const error = apiError('server_error', 'model_not_in_catalogue', message, 'model');
  return errorResponse(502, error, { shouldRetry: false, infra: true });
}

function unknownUrl(method: string, path: string): Response {
  const served = 'POST /v1/chat/completions, POST /v1/responses and GET /v1/models';
  const message = `Nothing is served at ${method} ${path}; there are ${served}.`;
  return errorResponse(404, apiError('invalid_request_error', 'unknown_url', message), { shouldRetry: false });
}

function shuttingDown(): Response {
  const error = apiError('server_error', 'shutting_down', 'The service is shutting down; the call was not made.');
  return errorResponse(503, error, { shouldRetry: false, infra: true });
}

function refusal(error: unknown, { request }: GatewayCall, onFault?: (error: unknown) => void): Response {
  if (error instanceof BudgetExceeded) {
    return errorResponse(402, apiError('insufficient_quota', 'budget_exhausted', error.message), {
      shouldRetry: false,
      // The job's own budget is part of the agent's task; that the run's is used up says nothing about the agent.
      infra: error.scope === 'run',
    });
  }
  if (error instanceof StaleLease) {
    return errorResponse(409, apiError('invalid_request_error', 'lease_lost', error.message), { shouldRetry: false });
  }
  if (request.signal.aborted) {
    return errorResponse(
      499,
      apiError('invalid_request_error', 'client_gone', 'The client hung up before the call was made.'),
    );
  }
  onFault?.(error);
  return errorResponse(503, apiError('server_error', 'gateway_failed', 'The gateway could not carry out the call.'), {
    infra: true,
  });
}
