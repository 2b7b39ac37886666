import { z } from 'zod';
import type { Reply } from './ledger.ts';
import type { Usage } from './prices.ts';
import { formatSse, type SseEvent, SseReader } from './sse.ts';
import type { CallPath, UpstreamReply } from './upstream-contract.ts';

/** The provider answered with success and then not with what the API promises. Whether it billed the call is unknown. */
export class InvalidReply extends Error {
  override name = 'InvalidReply';
}

/** Far more than any model writes in one reply. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

/** Reads a JSON reply to its end. `touch` is called with every piece that comes. @throws InvalidReply; what reading throws. */
export async function readWhole(path: CallPath, reply: UpstreamReply, touch: () => void): Promise<Reply> {
  let text = '';
  for await (const piece of pieces(reply, touch)) text += piece;
  const json = jsonOf(text);
  if (!(path === '/v1/responses' ? ResponseShape : ChatShape).safeParse(json).success) {
    throw new InvalidReply(`The provider's reply is not one of the API: ${shown(text)}`);
  }
  return { text, usage: usageOf(path, json) };
}

export interface EventSinks {
  /** Called with every piece that comes. */
  touch: () => void;
  /** Takes the text of each event for the client; the last one is not among them. */
  emit: (text: string) => void;
}

/**
 * Reads an event stream to its end and hands on its events, but for the usage of a chat that the client did not ask for.
 * The event that ends it is held back, as `last`, for when the call is settled.
 * @throws InvalidReply when it ends before its end was said, or says that it failed; what reading throws.
 */
export async function readEvents(
  { path, wantsUsage }: { path: CallPath; wantsUsage: boolean },
  reply: UpstreamReply,
  { touch, emit }: EventSinks,
): Promise<Reply & { last: string }> {
  if (!/^text\/event-stream\b/i.test(reply.contentType)) {
    throw new InvalidReply(`The provider's reply is no event stream but ${shown(reply.contentType)}.`);
  }
  const follow = path === '/v1/responses' ? new ResponseEvents() : new ChatEvents(wantsUsage);
  let text = '';
  for await (const event of events(reply, touch)) {
    const step = follow.next(event);
    if (step === 'drop') continue;
    if (step === 'last') return finished(text, event, follow.usage);
    const formatted = formatSse(event);
    text += formatted;
    emit(formatted);
  }
  if (!follow.complete) throw new InvalidReply('The stream of the reply ended before the reply was complete.');
  return finished(text, { event: null, data: '[DONE]' }, follow.usage);
}

function finished(before: string, lastEvent: SseEvent, usage: Usage | null): Reply & { last: string } {
  const last = formatSse(lastEvent);
  return { text: before + last, last, usage };
}

async function* events(reply: UpstreamReply, touch: () => void): AsyncGenerator<SseEvent> {
  const reader = new SseReader();
  for await (const piece of pieces(reply, touch)) yield* reader.push(piece);
  yield* reader.push('\n\n');
}

async function* pieces(reply: UpstreamReply, touch: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let bytes = 0;
  for await (const chunk of reply.body) {
    touch();
    bytes += chunk.length;
    if (bytes > MAX_REPLY_BYTES)
      throw new InvalidReply(`The provider's reply is longer than ${MAX_REPLY_BYTES} bytes.`);
    yield decoder.decode(chunk, { stream: true });
  }
}

type Step = 'pass' | 'drop' | 'last';

/** Follows the stream of a chat completion: chunks, the last of which has the usage and no choice, then `[DONE]`. */
class ChatEvents {
  usage: Usage | null = null;
  /** A reason to finish was given; some endpoints leave the `[DONE]` away. */
  complete = false;
  readonly #wantsUsage: boolean;

  constructor(wantsUsage: boolean) {
    this.#wantsUsage = wantsUsage;
  }

  next({ data }: SseEvent): Step {
    if (data === '[DONE]') return 'last';
    const json = jsonOf(data);
    const chunk = ChunkShape.safeParse(json);
    if (!chunk.success) throw new InvalidReply(`The stream of the reply holds what is no chunk: ${shown(data)}`);
    const { choices, error } = chunk.data;
    if (error !== undefined && error !== null)
      throw new InvalidReply(`The provider broke off: ${shown(JSON.stringify(error))}`);
    this.usage = usageOf('/v1/chat/completions', json) ?? this.usage;
    this.complete ||= choices.some((choice) => typeof choice.finish_reason === 'string');
    return choices.length === 0 && !this.#wantsUsage ? 'drop' : 'pass';
  }
}

/** Follows the stream of a response: typed events, the last of which holds the whole response with its usage. */
class ResponseEvents {
  usage: Usage | null = null;
  readonly complete = false;

  next({ data }: SseEvent): Step {
    if (data === '[DONE]') return 'drop';
    const json = jsonOf(data);
    const event = EventShape.safeParse(json);
    if (!event.success) throw new InvalidReply(`The stream of the reply holds what is no event: ${shown(data)}`);
    const { type, response } = event.data;
    if (type === 'error' || type === 'response.failed')
      throw new InvalidReply(`The provider broke off: ${shown(data)}`);
    if (type !== 'response.completed' && type !== 'response.incomplete') return 'pass';
    this.usage = usageOf('/v1/responses', response);
    return 'last';
  }
}

const ChatShape = z.looseObject({ choices: z.array(z.looseObject({ message: z.looseObject({}) })).min(1) });
const ResponseShape = z.looseObject({ output: z.array(z.looseObject({ type: z.string() })) });
const ChunkShape = z.looseObject({
  choices: z.array(z.looseObject({ finish_reason: z.string().nullish() })).default([]),
  error: z.unknown().optional(),
});
const EventShape = z.looseObject({ type: z.string(), response: z.unknown().optional() });

const Tokens = z.int().nonnegative();
const InputDetails = z.looseObject({ cached_tokens: Tokens.nullish(), cache_write_tokens: Tokens.nullish() }).nullish();
const ChatUsage = z.looseObject({
  prompt_tokens: Tokens,
  completion_tokens: Tokens,
  total_tokens: Tokens.nullish(),
  prompt_tokens_details: InputDetails,
});
const ResponseUsage = z.looseObject({
  input_tokens: Tokens,
  output_tokens: Tokens,
  total_tokens: Tokens.nullish(),
  input_tokens_details: InputDetails,
});

function usageOf(path: CallPath, json: unknown): Usage | null {
  const stated = typeof json === 'object' && json !== null && 'usage' in json ? json.usage : null;
  if (path === '/v1/responses') {
    const usage = ResponseUsage.safeParse(stated).data;
    return usage === undefined
      ? null
      : usageFrom(usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.input_tokens_details);
  }
  const usage = ChatUsage.safeParse(stated).data;
  return usage === undefined
    ? null
    : usageFrom(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.prompt_tokens_details);
}

/** Some endpoints count reasoning in the total alone; what the total has beyond input and output was output. */
function usageFrom(
  input: number,
  output: number,
  total: number | null | undefined,
  details: z.infer<typeof InputDetails>,
): Usage {
  return {
    input,
    cachedInput: details?.cached_tokens ?? 0,
    cacheWrite: details?.cache_write_tokens ?? 0,
    output: Math.max(output, (total ?? 0) - input),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidReply(`The provider's reply is not JSON: ${shown(text)}`, { cause });
  }
}

function shown(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}
