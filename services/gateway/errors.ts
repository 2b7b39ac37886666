import { INFRA_HEADER } from './infra-mark.ts';
import type { ApiError } from './upstream-contract.ts';

export interface ErrorOptions {
  /** False: a client that follows the header does not try again by itself. Unset: as the status has it. */
  shouldRetry?: boolean;
  retryAfterMs?: number | null;
  /** The fault is the provider's or ours, so the job's outcome says nothing about the agent. Goes to `INFRA_HEADER`. */
  infra?: boolean;
}

/** An error as the OpenAI API words it, so that its clients show the message. */
export function errorResponse(status: number, error: ApiError, options: ErrorOptions = {}): Response {
  const headers = new Headers();
  if (options.shouldRetry !== undefined) headers.set('x-should-retry', String(options.shouldRetry));
  if (options.retryAfterMs) headers.set('retry-after', String(Math.ceil(options.retryAfterMs / 1000)));
  if (options.infra) headers.set(INFRA_HEADER, error.code ?? 'unknown');
  return Response.json({ error }, { status, headers });
}

export function apiError(type: string, code: string, message: string, param: string | null = null): ApiError {
  return { message, type, param, code };
}
