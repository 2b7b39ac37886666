import type { APIError, OpenAI } from 'openai';
import { type EndpointOf, usableEndpoint } from './endpoint.ts';
import type { CatalogEntry } from './models.ts';
import {
  type ApiError,
  type Upstream,
  type UpstreamCall,
  UpstreamFailure,
  type UpstreamReply,
} from './upstream-contract.ts';

export interface OpenAiUpstreamOptions {
  endpointOf: EndpointOf;
}

/** An HTTP answer may take this long as a whole; the gateway's own, shorter limits abort the call before. */
const TIMEOUT_MS = 60 * 60 * 1000;

/**
 * Any endpoint that speaks the OpenAI API. Makes exactly one attempt a call and hands the answer's bytes on as they are.
 * The packages are loaded with the first call: that takes a while, and a rehearsal needs none of it.
 */
export function createOpenAiUpstream({ endpointOf }: OpenAiUpstreamOptions): Upstream {
  const clients = new Map<string, OpenAI>();
  let loading: Promise<Loaded> | undefined;

  async function clientOf(entry: CatalogEntry): Promise<OpenAI> {
    loading ??= load();
    const endpoint = usableEndpoint(entry, endpointOf(entry));
    if ('missing' in endpoint) throw withoutEndpoint(entry, endpoint.missing);
    const { baseUrl, apiKey } = endpoint;
    const key = JSON.stringify([baseUrl, apiKey]);
    const client = clients.get(key) ?? createClient(await loading, baseUrl, apiKey);
    clients.set(key, client);
    return client;
  }

  return {
    async send(call) {
      const client = await clientOf(call.model);
      try {
        return await attempt(client, call);
      } catch (error) {
        const { APIError } = await import('openai');
        throw error instanceof APIError ? failureOf(error) : error;
      }
    },
  };
}

type Loaded = { openai: typeof import('openai'); undici: typeof import('undici') };

async function load(): Promise<Loaded> {
  const [openai, undici] = await Promise.all([import('openai'), import('undici')]);
  return { openai, undici };
}

/** Everything that the package would otherwise take from the environment is stated. */
function createClient({ openai, undici }: Loaded, baseURL: string, apiKey: string): OpenAI {
  // Node's own fetch gives up on an answer that takes five minutes to begin, which a model that thinks may.
  const dispatcher = new undici.Agent({ headersTimeout: 0, bodyTimeout: 0 });
  return new openai.OpenAI({
    baseURL,
    apiKey,
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: TIMEOUT_MS,
    logLevel: 'off',
    // The same fetch; its types and those of Node's differ in name alone.
    fetch: undici.fetch as unknown as typeof fetch,
    // A redirect would turn the POST into a GET, or carry the key to another host.
    fetchOptions: { redirect: 'manual', dispatcher },
  });
}

async function attempt(client: OpenAI, { path, body, stream, signal }: UpstreamCall): Promise<UpstreamReply> {
  const response = await client
    .post(path.slice('/v1'.length), { body: stream ? { ...body, stream: true } : body, stream, signal })
    .asResponse();
  if (response.body === null) throw new Error(`The provider answered with status ${response.status} and nothing else.`);
  return { contentType: response.headers.get('content-type') ?? '', body: response.body };
}

function withoutEndpoint({ model }: CatalogEntry, missing: string): UpstreamFailure {
  const message = `Model ${model} cannot be called: ${missing}.`;
  const error: ApiError = { message, type: 'server_error', param: null, code: 'upstream_not_configured' };
  return new UpstreamFailure(message, { status: 401, connected: false, retryAfterMs: null, error });
}

function failureOf(error: APIError): UpstreamFailure {
  // The package types the status as always there; it is undefined when no answer came.
  const status: number | undefined = error.status;
  const connected = status !== undefined || !neverConnected(error);
  return new UpstreamFailure(
    status === undefined ? withCause(error) : error.message,
    {
      status: status ?? null,
      connected,
      retryAfterMs: retryAfterMs(error.headers),
      error: status === undefined ? null : wordsOf(error),
    },
    { cause: error },
  );
}

/** Failures before the first byte of the request left: name resolution, the TCP connection, the TLS handshake. */
const BEFORE_CONNECTED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EAI_FAIL|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|EPROTO|UND_ERR_CONNECT_TIMEOUT|CERT_.*|.*_CERT.*|.*_VERIFY_.*|ERR_TLS_.*|ERR_SSL_.*|ERR_INVALID_URL)$/;
/** What fetch says, without a code, of a URL that it will not even try. */
const NEVER_TRIED = /^(bad port|unknown scheme)$/;

function neverConnected(error: unknown): boolean {
  return causes(error).some(
    (one) =>
      ('code' in one && typeof one.code === 'string' && BEFORE_CONNECTED.test(one.code)) ||
      NEVER_TRIED.test(one.message),
  );
}

/** The package says "Connection error."; why is in what caused it. */
function withCause(error: Error): string {
  const innermost = causes(error).at(-1);
  if (innermost === undefined || innermost === error) return error.message;
  const code = 'code' in innermost && typeof innermost.code === 'string' ? `${innermost.code}: ` : '';
  return `${error.message.replace(/\.$/, '')} (${code}${innermost.message || innermost.name})`;
}

/** An error, what caused it, what caused that; of several causes at once, such as all addresses of a name, the first. */
function causes(error: unknown): Error[] {
  if (!(error instanceof Error)) return [];
  const cause = error instanceof AggregateError && error.cause === undefined ? error.errors[0] : error.cause;
  return [error, ...causes(cause)];
}

/** `retry-after-ms`, or `retry-after` as seconds or as a date (RFC 9110, 10.2.3). */
function retryAfterMs(headers: Headers | undefined): number | null {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '');
  if (Number.isFinite(ms)) return Math.max(0, ms);
  const stated = headers?.get('retry-after') ?? '';
  if (/^\s*\d+(\.\d+)?\s*$/.test(stated)) return Number(stated) * 1000;
  const date = Date.parse(stated);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

function wordsOf(error: APIError): ApiError {
  const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 2000) : null);
  // `error.message` is the package's own wording; the provider's is in the body.
  const body: unknown = error.error;
  const said = typeof body === 'object' && body !== null && 'message' in body ? text(body.message) : null;
  return {
    message: said ?? text(error.message) ?? 'no message',
    type: text(error.type) ?? 'upstream_error',
    param: text(error.param),
    code: text(error.code),
  };
}
