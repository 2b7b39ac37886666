import type { APIError, OpenAI } from 'openai';
import type { CatalogEntry } from './models.ts';
import {
  type ApiError,
  type Upstream,
  type UpstreamCall,
  UpstreamFailure,
  type UpstreamReply,
} from './upstream-contract.ts';

export interface OpenAiUpstreamOptions {
  /** Base URL (with `/v1`) and key under the names of environment variables that a catalogue entry gives; null: not set. */
  endpointOf: (names: { baseUrlEnv: string; apiKeyEnv: string }) => { baseUrl: string | null; apiKey: string | null };
}

/** An HTTP answer may take this long as a whole; the gateway's own, shorter limits abort the call before. */
const TIMEOUT_MS = 60 * 60 * 1000;

/**
 * Any endpoint that speaks the OpenAI API. Makes exactly one attempt a call and hands the answer's bytes on as they are.
 * The package is loaded with the first call: it takes a while, and a rehearsal needs none of it.
 */
export function createOpenAiUpstream({ endpointOf }: OpenAiUpstreamOptions): Upstream {
  const clients = new Map<string, OpenAI>();
  let loading: Promise<typeof import('openai')> | undefined;

  async function clientOf(entry: CatalogEntry): Promise<OpenAI> {
    loading ??= import('openai');
    const { OpenAI } = await loading;
    const { baseUrl, apiKey } = endpointOf(entry);
    if (baseUrl === null && apiKey === null) throw withoutEndpoint(entry);
    const key = JSON.stringify([baseUrl, apiKey]);
    const client = clients.get(key) ?? new OpenAI(settings(baseUrl, apiKey));
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

/** Everything that the package would otherwise take from the environment is stated. */
function settings(baseUrl: string | null, apiKey: string | null) {
  return {
    baseURL: baseUrl ?? 'https://api.openai.com/v1',
    apiKey: apiKey ?? 'none',
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: TIMEOUT_MS,
    logLevel: 'off',
    // A redirect would turn the POST into a GET, or carry the key to another host.
    fetchOptions: { redirect: 'manual' },
  } as const;
}

async function attempt(client: OpenAI, { path, body, stream, signal }: UpstreamCall): Promise<UpstreamReply> {
  const response = await client
    .post(path.slice('/v1'.length), { body: stream ? { ...body, stream: true } : body, stream, signal })
    .asResponse();
  if (response.body === null) throw new Error(`The provider answered with status ${response.status} and nothing else.`);
  return { contentType: response.headers.get('content-type') ?? '', body: response.body };
}

function withoutEndpoint({ model, baseUrlEnv, apiKeyEnv }: CatalogEntry): UpstreamFailure {
  const message = `No endpoint is set for model ${model}: set ${apiKeyEnv}, and ${baseUrlEnv} unless it is OpenAI's own.`;
  const error: ApiError = { message, type: 'server_error', param: null, code: 'upstream_not_configured' };
  return new UpstreamFailure(message, { status: 401, connected: false, retryAfterMs: null, error });
}

function failureOf(error: APIError): UpstreamFailure {
  // The package types the status as always there; it is undefined when no answer came.
  const status: number | undefined = error.status;
  const connected = status !== undefined || !neverConnected(error);
  return new UpstreamFailure(
    error.message,
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
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EAI_FAIL|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|CERT_.*|.*_CERT.*|ERR_TLS_.*|ERR_INVALID_URL)$/;

function neverConnected(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && BEFORE_CONNECTED.test(at.code)) return true;
  }
  return false;
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
