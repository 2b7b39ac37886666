import { createHash } from 'node:crypto';
import type OpenAI from 'openai';
import { completionEvents, responseEvents } from './event-script.ts';
import { chatOf, responseOf } from './responses-as-chat.ts';
import { formatSse, type SseEvent } from './sse.ts';
import { type Upstream, type UpstreamCall, UpstreamFailure, type UpstreamReply } from './upstream-contract.ts';

type ChatCompletion = OpenAI.Chat.Completions.ChatCompletion;
type ChatParams = OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming;

/** A scripted model: answers at once, and the same to the same request and seed. */
export interface ScriptedModel {
  chat(request: ChatParams, seed: number): ChatCompletion;
}

/**
 * Makes a scripted model look like a provider: streams when asked to, speaks the Responses API, refuses what would not
 * fit its context, and counts tokens. The same call gets the same reply to the byte, its ids and times included.
 */
export function createRehearsalUpstream(script: ScriptedModel): Upstream {
  return {
    async send(call) {
      call.signal.throwIfAborted();
      refuseOverflow(call);
      return call.path === '/v1/responses' ? respond(script, call) : complete(script, call);
    },
  };
}

function complete(script: ScriptedModel, call: UpstreamCall): UpstreamReply {
  // The gateway checked the body against ChatRequest, which is a part of what the package's type allows.
  const body = call.body as unknown as ChatParams;
  const completion = steady(script.chat(body, call.seed), call);
  return call.stream ? eventReply(completionEvents(completion)) : jsonReply(completion);
}

function respond(script: ScriptedModel, call: UpstreamCall): UpstreamReply {
  const completion = steady(script.chat(chatOf(call.body, call.model.model), call.seed), call);
  const response = responseOf(completion, call.body);
  return call.stream ? eventReply(responseEvents(response)) : jsonReply(response);
}

/** Bytes a token stands for on average, in English and in code. */
const BYTES_PER_TOKEN = 4;

function tokensOf(value: unknown): number {
  return Math.ceil(Buffer.byteLength(JSON.stringify(value ?? '')) / BYTES_PER_TOKEN);
}

/** Ids from what was asked, no clock, and a usage in any case. */
function steady(completion: ChatCompletion, call: UpstreamCall): ChatCompletion {
  const id = createHash('sha256')
    .update(JSON.stringify([call.path, call.body, call.seed]))
    .digest('hex')
    .slice(0, 24);
  const input = tokensOf(call.body);
  const output = tokensOf(completion.choices[0]?.message);
  const usage = completion.usage ?? { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
  return { ...completion, id: `chatcmpl-${id}`, created: 0, model: call.model.model, usage };
}

function refuseOverflow({ model, body }: UpstreamCall): void {
  const tokens = tokensOf(body);
  if (tokens <= model.contextTokens) return;
  const message = `This model's maximum context length is ${model.contextTokens} tokens. Your messages resulted in ${tokens} tokens.`;
  const error = { message, type: 'invalid_request_error', param: 'messages', code: 'context_length_exceeded' };
  throw new UpstreamFailure(message, { status: 400, connected: true, retryAfterMs: null, error });
}

function jsonReply(value: unknown): UpstreamReply {
  return { contentType: 'application/json', body: streamOf(JSON.stringify(value)) };
}

function eventReply(events: readonly SseEvent[]): UpstreamReply {
  return { contentType: 'text/event-stream', body: streamOf(events.map(formatSse).join('')) };
}

function streamOf(text: string): ReadableStream<Uint8Array> {
  return new Blob([text]).stream();
}
