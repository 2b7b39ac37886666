import type OpenAI from 'openai';
import type { WireResponse } from './responses-as-chat.ts';
import type { SseEvent } from './sse.ts';

type ChatCompletion = OpenAI.Chat.Completions.ChatCompletion;
type Delta = OpenAI.Chat.Completions.ChatCompletionChunk.Choice.Delta;
type OutputItem = OpenAI.Responses.ResponseOutputItem;

/** About as much as a model writes at a time. */
const PIECE_CHARS = 24;

/** A completion as the stream it would have been: role, text and tool calls in pieces, the reason to finish, the usage. */
export function completionEvents({ id, created, model, choices, usage }: ChatCompletion): SseEvent[] {
  const chunk = (rest: object): SseEvent => data({ id, object: 'chat.completion.chunk', created, model, ...rest });
  const [choice] = choices;
  if (choice === undefined) return [data('[DONE]')];
  const step = (delta: Delta, finish_reason: string | null = null) =>
    chunk({ choices: [{ index: 0, delta, logprobs: null, finish_reason }], usage: null });
  const { content, tool_calls = [] } = choice.message;
  const calls = tool_calls.flatMap((call, index) => (call.type === 'function' ? callDeltas(call, index) : []));
  return [
    step({ role: 'assistant', content: '' }),
    ...inPieces(content ?? '').map((piece) => step({ content: piece })),
    ...calls.map((delta) => step(delta)),
    step({}, choice.finish_reason),
    chunk({ choices: [], usage: usage ?? null }),
    data('[DONE]'),
  ];
}

function callDeltas(call: OpenAI.Chat.Completions.ChatCompletionMessageFunctionToolCall, index: number): Delta[] {
  const { id, type } = call;
  const head = { index, id, type, function: { name: call.function.name, arguments: '' } };
  const rest = inPieces(call.function.arguments).map((piece) => ({ index, function: { arguments: piece } }));
  return [head, ...rest].map((tool_call) => ({ tool_calls: [tool_call] }));
}

/** A response as the stream of events it would have been. */
export function responseEvents(response: WireResponse): SseEvent[] {
  const begun = { ...response, status: 'in_progress', output: [], usage: null };
  const events = [
    { type: 'response.created', response: begun },
    { type: 'response.in_progress', response: begun },
    ...response.output.flatMap(itemEvents),
    { type: response.status === 'incomplete' ? 'response.incomplete' : 'response.completed', response },
  ];
  return events.map((event, at) => ({ event: event.type, data: JSON.stringify({ ...event, sequence_number: at }) }));
}

function itemEvents(item: OutputItem, output_index: number) {
  const begun =
    item.type === 'message'
      ? { ...item, content: [] }
      : item.type === 'function_call'
        ? { ...item, arguments: '' }
        : item;
  return [
    { type: 'response.output_item.added', output_index, item: { ...begun, status: 'in_progress' } },
    ...pieceEvents(item, output_index),
    { type: 'response.output_item.done', output_index, item },
  ];
}

function pieceEvents(item: OutputItem, output_index: number) {
  if (item.type === 'function_call') {
    const at = { item_id: item.id, output_index };
    return [
      ...inPieces(item.arguments).map((delta) => ({ type: 'response.function_call_arguments.delta', ...at, delta })),
      { type: 'response.function_call_arguments.done', ...at, name: item.name, arguments: item.arguments },
    ];
  }
  if (item.type !== 'message') return [];
  return item.content.flatMap((part, content_index) => {
    const at = { item_id: item.id, output_index, content_index };
    if (part.type !== 'output_text') return [];
    return [
      { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
      ...inPieces(part.text).map((delta) => ({ type: 'response.output_text.delta', ...at, delta, logprobs: [] })),
      { type: 'response.output_text.done', ...at, text: part.text, logprobs: [] },
      { type: 'response.content_part.done', ...at, part },
    ];
  });
}

function data(value: unknown): SseEvent {
  return { event: null, data: typeof value === 'string' ? value : JSON.stringify(value) };
}

/** Cut between characters, never within one. */
function inPieces(text: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (const character of text) {
    piece += character;
    if (piece.length < PIECE_CHARS) continue;
    pieces.push(piece);
    piece = '';
  }
  return piece === '' ? pieces : [...pieces, piece];
}
