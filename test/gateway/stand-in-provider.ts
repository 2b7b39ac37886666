import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request as the provider got it. */
export interface Received {
  path: string;
  authorization: string | undefined;
  body: Record<string, unknown>;
}

/** How the provider treats one request. */
export type Behaviour = (response: ServerResponse, received: Received) => void | Promise<void>;

/** A provider of models on loopback, over real HTTP. Treats its requests as told, one behaviour each; the last one stays. */
export interface StandInProvider extends AsyncDisposable {
  baseUrl: string;
  received: Received[];
  /** Resolves when this many requests have come. */
  hasReceived(count: number): Promise<void>;
  behave(...behaviours: Behaviour[]): void;
}

export async function startProvider(...first: Behaviour[]): Promise<StandInProvider> {
  let behaviours = first;
  const received: Received[] = [];
  let change = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const one = await read(request);
    received.push(one);
    change.resolve();
    change = Promise.withResolvers();
    const behaviour = behaviours.length > 1 ? behaviours.shift() : behaviours[0];
    await behaviour?.(response, one);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    baseUrl: `http://127.0.0.1:${portOf(server)}/v1`,
    received,
    async hasReceived(count) {
      while (received.length < count) await change.promise;
    },
    behave: (...next) => {
      behaviours = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function read(request: IncomingMessage): Promise<Received> {
  const body = await text(request);
  return {
    path: request.url ?? '',
    authorization: request.headers.authorization,
    body: body === '' ? {} : JSON.parse(body),
  };
}

/** The usage of every answer here: 1,000 tokens in, 400 of them cached, 50 out. */
export const USAGE = {
  prompt_tokens: 1000,
  completion_tokens: 50,
  total_tokens: 1050,
  prompt_tokens_details: { cached_tokens: 400 },
};

const base = { id: 'chatcmpl-1', created: 1_700_000_000, model: 'stand-in-2024' };

export function completion(message: object, finish_reason = 'stop'): object {
  const choices = [
    {
      index: 0,
      message: { role: 'assistant', content: null, refusal: null, ...message },
      finish_reason,
      logprobs: null,
    },
  ];
  return { ...base, object: 'chat.completion', choices, usage: USAGE };
}

export const json =
  (body: object, status = 200, headers: Record<string, string> = {}): Behaviour =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };

/** Says `text`, streamed word by word when asked to stream. */
export const says =
  (said: string): Behaviour =>
  (response, received) =>
    received.body.stream === true
      ? events(...chatEvents(said))(response, received)
      : json(completion({ content: said }))(response, received);

export function chatEvents(said: string): string[] {
  const chunk = (delta: object, finish_reason: string | null = null) =>
    JSON.stringify({
      ...base,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason }],
      usage: null,
    });
  const words = said.split(/(?<= )/).map((content) => chunk({ content }));
  const usage = JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [], usage: USAGE });
  return [chunk({ role: 'assistant', content: '' }), ...words, chunk({}, 'stop'), usage, '[DONE]'];
}

/** Server-sent events with this data; a number among them is a pause in milliseconds. */
export const events =
  (...data: (string | number)[]): Behaviour =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of data) {
      if (typeof piece === 'number') await new Promise((resolve) => setTimeout(resolve, piece));
      else response.write(`data: ${piece}\n\n`);
    }
    response.end();
  };

/** Streams the data and then resets the connection. */
export const resetsAfter =
  (...data: string[]): Behaviour =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of data) response.write(`data: ${piece}\n\n`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    response.socket?.resetAndDestroy();
  };

export const resets: Behaviour = (response) => {
  response.socket?.resetAndDestroy();
};

export const neverAnswers: Behaviour = () => {};

/** Begins to stream and then says nothing more. */
export const fallsSilentAfter =
  (...data: string[]): Behaviour =>
  (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const piece of data) response.write(`data: ${piece}\n\n`);
  };

export const refuses = (status: number, code: string, headers: Record<string, string> = {}): Behaviour =>
  json({ error: { message: `refused as ${code}`, type: 'some_error', param: null, code } }, status, headers);

export const raw =
  (body: string, contentType = 'application/json'): Behaviour =>
  (response) => {
    response.writeHead(200, { 'content-type': contentType }).end(body);
  };
