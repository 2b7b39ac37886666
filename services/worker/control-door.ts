import pRetry from 'p-retry';
import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';
import { DiskFull, NotFound, StaleLease } from '#archive/errors.ts';
import type { Lease } from '#archive/schema.ts';
import { CladeError, isErrorCode } from '#services/errors.ts';
import { ControlAway } from './control-away.ts';
import { GATEWAY_HEADER } from './wire.ts';

export interface ControlAddress {
  /** Such as `http://control:7777`. */
  url: string;
  token?: string | undefined;
}

export interface Question {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE';
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | undefined;
  /** For the whole answer; null: as long as it takes. */
  timeoutMs: number | null;
  signal?: AbortSignal;
  /** Whose end `StaleLease` would be. */
  lease?: Lease;
}

export interface Answer {
  status: number;
  headers: Dispatcher.ResponseData['headers'];
  body: Dispatcher.ResponseData['body'];
}

/** The way to control over HTTP, on connections that are kept open. Disposing of it ends what is under way. */
export class ControlDoor implements AsyncDisposable {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  // How long an answer may take differs from question to question, and is said there.
  readonly #agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 10_000 } });

  constructor({ url, token }: ControlAddress) {
    this.#url = url.replace(/\/+$/, '');
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /**
   * An answer of success, or any that comes from the gateway.
   * @throws ControlAway; StaleLease, DiskFull, NotFound and CladeError as control said; the signal's reason when aborted.
   */
  async ask(question: Question): Promise<Answer> {
    const { method, path, body, signal } = question;
    const headers = { ...this.#headers, ...question.headers };
    const options = { dispatcher: this.#agent, method, headers, body: body ?? null, signal: deadlineOf(question) };
    const reached = await request(this.#url + path, options).catch((cause: unknown) => this.#away(cause, signal));
    const answer = { status: reached.statusCode, headers: reached.headers, body: reached.body };
    if (answer.status < 300 || answer.headers[GATEWAY_HEADER] !== undefined) return answer;
    throw refusal(await this.text(answer, signal), answer.status, question);
  }

  /** The whole body. @throws as `ask`. */
  async text({ body }: Answer, signal?: AbortSignal): Promise<string> {
    return body.text().catch((cause: unknown) => this.#away(cause, signal));
  }

  async bytes({ body }: Answer, signal?: AbortSignal): Promise<Uint8Array> {
    return body.bytes().catch((cause: unknown) => this.#away(cause, signal));
  }

  /** Sends JSON and reads JSON. @throws as `ask`; ZodError for an answer of another shape. */
  async post<T>(path: string, body: unknown, shape: z.ZodType<T>, more: Omit<Question, 'method' | 'path' | 'body'>) {
    const headers = { 'content-type': 'application/json' };
    const answer = await this.ask({ ...more, method: 'POST', path, headers, body: JSON.stringify(body) });
    return shape.parse(JSON.parse(await this.text(answer)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  #away(cause: unknown, signal: AbortSignal | undefined): never {
    if (signal?.aborted) throw signal.reason;
    const why = cause instanceof Error ? cause.message || codeOf(cause) : String(cause);
    throw new ControlAway(`Control at ${this.#url} does not answer: ${why}.`, { cause });
  }
}

/** Asks again while control is away: only for questions that may be asked twice. */
export async function patiently<T>(
  ask: () => Promise<T>,
  { retries, signal }: { retries: number; signal?: AbortSignal },
): Promise<T> {
  return pRetry(ask, {
    ...{ retries, minTimeout: 200, maxTimeout: 3_000, randomize: true, signal },
    shouldRetry: ({ error }) => error instanceof ControlAway,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function deadlineOf({ timeoutMs, signal }: Question): AbortSignal | undefined {
  const signals = [...(signal ? [signal] : []), ...(timeoutMs === null ? [] : [AbortSignal.timeout(timeoutMs)])];
  return signals.length > 0 ? AbortSignal.any(signals) : undefined;
}

const Problem = z.object({ code: z.string(), detail: z.string() });

function refusal(text: string, status: number, { method, path, lease }: Question): Error {
  const problem = Problem.safeParse(jsonOrNull(text)).data;
  if (problem === undefined) {
    const message = `${method} ${path} was answered with ${status}, and not by a Clade service.`;
    return status >= 500 ? new ControlAway(message) : new CladeError('no-service', message);
  }
  const { code, detail } = problem;
  if (code === 'shutting-down') return new ControlAway(detail);
  if (code === 'stale-lease' && lease !== undefined) return new StaleLease(lease.jobId, lease.epoch);
  if (code === 'disk-full') return new DiskFull(detail);
  if (code === 'not-found') return new NotFound(detail);
  return new CladeError(isErrorCode(code) ? code : 'internal', detail);
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
