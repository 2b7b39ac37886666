import type { CatalogEntry } from './models.ts';

/** The two calls of the OpenAI API that cost money. */
export type CallPath = '/v1/chat/completions' | '/v1/responses';

export interface UpstreamCall {
  model: CatalogEntry;
  path: CallPath;
  /** The checked and clamped body, with the provider's own model id. */
  body: Readonly<Record<string, unknown>>;
  stream: boolean;
  /** The run's random seed; for the rehearsal, which is random only by it. */
  seed: number;
  signal: AbortSignal;
}

/** A model, or the way to one. */
export interface Upstream {
  /**
   * Makes one attempt. Resolves once the provider has begun to answer with success; the body is JSON, or an event stream
   * when `stream`. Reading the body may still fail; that, and every failure but those an `UpstreamFailure` calls
   * unprocessed, leaves it unknown whether the call was processed and billed.
   * @throws UpstreamFailure
   */
  send(call: UpstreamCall): Promise<UpstreamReply>;
}

export interface UpstreamReply {
  contentType: string;
  body: ReadableStream<Uint8Array>;
}

/** The fields of an error as the OpenAI API words it. */
export interface ApiError {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

/** How an attempt failed before there was a reply. */
export interface FailureFacts {
  /** HTTP status of the answer; null when there was none. */
  status: number | null;
  /** False when no connection came about, so that not a byte of the request left. */
  connected: boolean;
  /** What the provider asked to wait before the next attempt. */
  retryAfterMs: number | null;
  /** The provider's own words, when it answered with an error. */
  error: ApiError | null;
}

/** An attempt that got no successful answer. `classify` says what that means for the ledger. */
export class UpstreamFailure extends Error {
  override name = 'UpstreamFailure';
  readonly facts: FailureFacts;

  constructor(message: string, facts: FailureFacts, options?: ErrorOptions) {
    super(message, options);
    this.facts = facts;
  }
}
