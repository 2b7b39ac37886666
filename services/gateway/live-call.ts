import { setTimeout as sleep } from 'node:timers/promises';
import { classify, type RetryPolicy, retryDelayMs } from './classify.ts';
import { apiError, errorResponse } from './errors.ts';
import { infraComment } from './infra-mark.ts';
import type { CallLedger, LedgerCall, OpenCall } from './ledger.ts';
import type { CatalogEntry } from './models.ts';
import { Patience, type TimeLimits, TookTooLong } from './patience.ts';
import { type ModelPrice, worstUsage } from './prices.ts';
import { readEvents, readWhole } from './reply.ts';
import { type CheckedRequest, upstreamBody } from './requests.ts';
import { formatSse } from './sse.ts';
import { Tape } from './tape.ts';
import { type ApiError, type Upstream, UpstreamFailure, type UpstreamReply } from './upstream-contract.ts';

/** One checked request on its way to a provider. */
export interface LiveCall {
  request: CheckedRequest;
  entry: CatalogEntry;
  price: ModelPrice;
  upstream: Upstream;
  seed: number;
  /** Its client ends waiting; a call that has left is followed to its end all the same. */
  ledgerCall: LedgerCall;
}

export interface LiveCallDependencies {
  ledger: CallLedger;
  retry: RetryPolicy;
  timeLimits: TimeLimits;
  /** Aborts calls under way, which are then charged in full. */
  closing: AbortSignal;
}

/**
 * Reserves, sends, settles; and tries again where the call surely was not processed. Every end of a call is an answer.
 * @throws BudgetExceeded, StaleLease; the signal's reason while waiting; what the archive throws.
 */
export async function makeCall(call: LiveCall, deps: LiveCallDependencies): Promise<Response> {
  const { body, maxOutputTokens } = upstreamBody(call.request, call.entry, call.price);
  const worst = worstUsage(call.price, Buffer.byteLength(JSON.stringify(body)), maxOutputTokens);
  const signal = AbortSignal.any([call.ledgerCall.client, deps.closing]);
  for (let attempt = 1; ; attempt++) {
    const open = await deps.ledger.reserve(call.ledgerCall, call.price, worst, signal);
    const outcome = await attemptCall(call, body, open, deps);
    if (outcome instanceof Response) return outcome;
    const delayMs = retryDelayMs(classify(outcome.failure), attempt, deps.retry, Math.random());
    if (delayMs === null) return refusedBy(outcome.failure, call);
    await sleep(delayMs, undefined, { signal });
  }
}

/** One attempt, to its end in the ledger. A failure comes back only when the call surely was not processed. */
async function attemptCall(
  { request, entry, upstream, seed }: LiveCall,
  body: Record<string, unknown>,
  open: OpenCall,
  deps: LiveCallDependencies,
): Promise<Response | { failure: UpstreamFailure }> {
  const patience = new Patience(deps.timeLimits, deps.closing);
  let reply: UpstreamReply;
  try {
    open.sent();
    const { path, stream } = request;
    reply = await upstream.send({ model: entry, path, body, stream, seed, signal: patience.signal });
  } catch (error) {
    patience[Symbol.dispose]();
    return failed(error, open, patience);
  }
  return request.stream ? streamed(request, reply, open, patience) : whole(request, reply, open, patience);
}

function failed(error: unknown, open: OpenCall, { signal }: Patience): Response | { failure: UpstreamFailure } {
  if (error instanceof UpstreamFailure && classify(error).kind === 'unprocessed') {
    open.release();
    return { failure: error };
  }
  open.ambiguous();
  return uncertain(signal.aborted ? signal.reason : error);
}

async function whole(
  request: CheckedRequest,
  reply: UpstreamReply,
  open: OpenCall,
  waiting: Patience,
): Promise<Response> {
  using patience = waiting;
  let read: Awaited<ReturnType<typeof readWhole>>;
  try {
    read = await readWhole(request.path, reply, patience.touch);
  } catch (error) {
    open.ambiguous();
    return uncertain(patience.signal.aborted ? patience.signal.reason : error);
  }
  open.settle(read);
  return replyResponse(read.text, false);
}

/** Answers as soon as the first event is there, or with a plain error when none comes. */
async function streamed(
  request: CheckedRequest,
  reply: UpstreamReply,
  open: OpenCall,
  patience: Patience,
): Promise<Response> {
  const tape = new Tape();
  const end = follow(request, reply, { tape, open, patience });
  const early = await Promise.race([tape.started(), end]);
  return early instanceof Response ? early : replyResponse(tape.read(), true);
}

/** Resolves when the call is settled; to an error when that came before the client got anything. Never rejects. */
async function follow(
  request: CheckedRequest,
  reply: UpstreamReply,
  { tape, open, patience: waiting }: { tape: Tape; open: OpenCall; patience: Patience },
): Promise<Response | undefined> {
  using patience = waiting;
  let begun = false;
  const emit = (text: string) => {
    begun = true;
    tape.write(text);
  };
  try {
    const { last, ...read } = await readEvents(request, reply, { touch: patience.touch, emit });
    open.settle(read);
    tape.write(last);
    return undefined;
  } catch (error) {
    const cause = patience.signal.aborted ? patience.signal.reason : error;
    return breakOff(request, cause, { tape, open, begun });
  } finally {
    tape.end();
  }
}

/** The status is long gone, so the error travels as an event, which the API's clients understand. */
function breakOff(
  { path }: CheckedRequest,
  cause: unknown,
  { tape, open, begun }: { tape: Tape; open: OpenCall; begun: boolean },
): Response | undefined {
  try {
    open.ambiguous();
  } catch {
    // The archive cannot be written; the row is put right when the service starts again. The client hears of `cause`.
  }
  if (!begun) return uncertain(cause);
  const error = uncertainError(cause);
  const chat = path === '/v1/chat/completions';
  // Before the error: many clients stop reading at that.
  tape.write(infraComment(error.code ?? 'upstream_failed'));
  tape.write(formatSse(chat ? { event: null, data: JSON.stringify({ error }) } : responsesError(error)));
  return undefined;
}

function responsesError(error: ApiError) {
  const { message, code, param } = error;
  return { event: 'error', data: JSON.stringify({ type: 'error', code, message, param, error }) };
}

/** The answer to a client, live or out of the ledger: the two are the same to the byte. */
export function replyResponse(body: string | ReadableStream<Uint8Array>, stream: boolean): Response {
  const contentType = stream ? 'text/event-stream; charset=utf-8' : 'application/json';
  return new Response(body, { headers: { 'content-type': contentType, 'cache-control': 'no-store' } });
}

function uncertain(cause: unknown): Response {
  // Trying again is not for the client to decide, which cannot see that each time may be billed.
  const options = { shouldRetry: false, infra: true };
  return errorResponse(cause instanceof TookTooLong ? 504 : 502, uncertainError(cause), options);
}

function uncertainError(cause: unknown): ApiError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof TookTooLong ? 'upstream_timeout' : 'upstream_failed';
  return apiError(
    'server_error',
    code,
    `The model's provider failed in a way that leaves it open whether the call is billed: ${why}`,
  );
}

/** What the provider refused, in its own words where the request is at fault and in ours where the set-up is. */
function refusedBy({ message, facts }: UpstreamFailure, { entry, request }: LiveCall): Response {
  const { model, baseUrlEnv, apiKeyEnv } = entry;
  const { status, retryAfterMs, error } = facts;
  const ours = (answer: number, code: string, text: string) =>
    errorResponse(answer, apiError('server_error', code, text), { shouldRetry: false, retryAfterMs, infra: true });
  if (status === null)
    return ours(502, 'upstream_unreachable', `The model's provider cannot be reached; check ${baseUrlEnv}: ${message}`);
  if (error?.code === 'upstream_not_configured') return ours(502, error.code, message);
  if (status === 401 || status === 403)
    return ours(502, 'upstream_auth', `The provider of ${model} refused the key; check ${apiKeyEnv}.`);
  // Every provider has chat completions, so there it is the model that is not found; another path was the client's choice.
  if (status === 404 && request.path === '/v1/chat/completions')
    return ours(
      502,
      'upstream_not_found',
      `The provider does not know ${model} at this address; check the catalogue and ${baseUrlEnv}.`,
    );
  if (status === 429 || status >= 500)
    return ours(
      status === 429 ? 429 : 503,
      error?.code ?? (status === 429 ? 'rate_limit_exceeded' : 'overloaded'),
      `The provider of ${model} refuses more calls: ${error?.message ?? message}`,
    );
  if (status < 400)
    return ours(502, 'upstream_redirects', `The provider of ${model} redirects; set ${baseUrlEnv} to where it moved.`);
  const words = error ?? apiError('invalid_request_error', 'refused', message);
  return errorResponse(status, words, { shouldRetry: false });
}
