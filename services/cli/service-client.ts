import { z } from 'zod';
import { readOwner } from '#archive/owner.ts';
import { Event, type RunId } from '#archive/schema.ts';
import { Problem, ProgressView } from '#services/api/schema.ts';
import type { Config } from '#services/config.ts';
import { CladeError, isErrorCode } from '#services/errors.ts';

export type ServiceEvent = { kind: 'event'; event: Event } | { kind: 'progress'; progress: ProgressView[] };

interface EventsWanted {
  afterSeq: number;
  follow: boolean;
  signal: AbortSignal;
}

/** The service of a data directory, or null when none is running there. */
export async function findService(config: Config): Promise<ServiceClient | null> {
  const url = readOwner(config.home)?.url;
  if (!url) return null;
  const client = new ServiceClient(url, config.tokens.admin ?? config.tokens.viewer);
  return (await client.answers()) ? client : null;
}

/** @throws CladeError `no-service`. */
export async function requireService(config: Config): Promise<ServiceClient> {
  const client = await findService(config);
  if (client !== null) return client;
  throw new CladeError(
    'no-service',
    `No service is running for ${config.home}. Start it with "clade up --home ${config.home}", which also goes on with unfinished runs.`,
  );
}

/** A running service, over HTTP. Its problems are thrown as the errors they were. */
export class ServiceClient {
  readonly url: string;
  readonly #token: string | undefined;

  constructor(url: string, token: string | undefined) {
    this.url = url;
    this.#token = token;
  }

  async answers(): Promise<boolean> {
    return fetch(`${this.url}/v1/health`, { signal: AbortSignal.timeout(5_000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async get<T>(path: string, shape: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
    return shape.parse(await (await this.#send(path, { signal: signal ?? null })).json());
  }

  async post<T>(path: string, body: unknown, shape: z.ZodType<T>): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    return shape.parse(await (await this.#send(path, { method: 'POST', headers, body: JSON.stringify(body) })).json());
  }

  /** A run's events after `afterSeq` and what its slots do: those there are, or with `follow` until aborted or cut off. */
  async *events(runId: RunId, { afterSeq, follow, signal }: EventsWanted): AsyncGenerator<ServiceEvent> {
    const headers = { 'last-event-id': String(afterSeq) };
    const response = await this.#send(`/v1/runs/${runId}/events?follow=${follow}`, { headers, signal });
    if (response.body === null) return;
    for await (const block of blocks(response.body)) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name === undefined || data === undefined) continue;
      const json: unknown = JSON.parse(data);
      if (name === 'progress') yield { kind: 'progress', progress: z.array(ProgressView).parse(json) };
      else yield { kind: 'event', event: Event.parse(json) };
    }
  }

  async #send(path: string, init: RequestInit & { headers?: Record<string, string> }): Promise<Response> {
    const headers = {
      ...init.headers,
      ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
    };
    const response = await fetch(this.url + path, { ...init, headers }).catch((cause: unknown) => {
      if (init.signal?.aborted) throw cause;
      throw new CladeError('no-service', `The service at ${this.url} does not answer. Is it still running?`, { cause });
    });
    if (response.ok) return response;
    const problem = Problem.safeParse(await response.json().catch(() => null));
    if (!problem.success)
      throw new CladeError(
        'no-service',
        `${this.url} answered ${response.status}; it does not seem to be a Clade service.`,
      );
    const { code, detail } = problem.data;
    throw new CladeError(isErrorCode(code) ? code : 'internal', detail);
  }
}

/** The blocks of an event stream: what stands between two empty lines. */
async function* blocks(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}
