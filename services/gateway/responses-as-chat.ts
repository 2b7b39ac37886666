import type OpenAI from 'openai';
import { type InputItem, ResponsesRequest } from './responses-request.ts';

type ChatCompletion = OpenAI.Chat.Completions.ChatCompletion;
type ChatParams = OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming;
type ChatMessage = OpenAI.Chat.Completions.ChatCompletionMessageParam;
type FunctionCall = Extract<InputItem, { type: 'function_call' }>;
/** As it goes over the wire; `output_text` is put together by the package. */
export type WireResponse = Omit<OpenAI.Responses.Response, 'output_text'>;
type OutputItem = OpenAI.Responses.ResponseOutputItem;

/** A request of the Responses API as the chat completion that asks the same. @throws ZodError for a body never checked. */
export function chatOf(body: Readonly<Record<string, unknown>>, model: string): ChatParams {
  const { input, instructions, tools, max_output_tokens } = ResponsesRequest.parse(body);
  const items =
    typeof input === 'string' ? [{ type: 'message' as const, role: 'user' as const, content: input }] : input;
  const opening: ChatMessage[] = instructions ? [{ role: 'system', content: instructions }] : [];
  return {
    model,
    messages: [...opening, ...messagesOf(items)],
    ...(tools?.length ? { tools: tools.map(toolOf) } : {}),
    ...(max_output_tokens ? { max_completion_tokens: max_output_tokens } : {}),
  };
}

function toolOf({ name, description, parameters }: NonNullable<ResponsesRequest['tools']>[number]) {
  const described = description ? { description } : {};
  return { type: 'function' as const, function: { name, ...described, parameters: parameters ?? {} } };
}

/** What the assistant said and the calls it made together are one message of a chat. */
function messagesOf(items: readonly InputItem[]): ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const item of items) {
    const last = messages.at(-1);
    if (item.type === 'reasoning') continue;
    if (item.type === 'function_call_output') {
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: textOf(item.output) });
    } else if (item.type === 'function_call') {
      if (last?.role === 'assistant') last.tool_calls = [...(last.tool_calls ?? []), callOf(item)];
      else messages.push({ role: 'assistant', content: null, tool_calls: [callOf(item)] });
    } else {
      messages.push({ role: item.role, content: textOf(item.content) });
    }
  }
  return messages;
}

function callOf({ call_id, name, arguments: text }: FunctionCall) {
  return { id: call_id, type: 'function' as const, function: { name, arguments: text } };
}

function textOf(content: string | readonly ({ text: string } | { refusal: string })[]): string {
  if (typeof content === 'string') return content;
  return content.map((part) => ('text' in part ? part.text : part.refusal)).join('');
}

/** A chat completion as the response that says the same. Its ids come from the completion's. */
export function responseOf(completion: ChatCompletion, body: Readonly<Record<string, unknown>>): WireResponse {
  const { instructions, max_output_tokens, temperature, top_p, parallel_tool_calls } = ResponsesRequest.parse(body);
  const stem = completion.id.replace(/^chatcmpl-/, '');
  const cut = completion.choices[0]?.finish_reason === 'length';
  const output = outputOf(completion, stem);
  return {
    id: `resp_${stem}`,
    access_programs: null,
    object: 'response',
    created_at: completion.created,
    status: cut ? 'incomplete' : 'completed',
    error: null,
    incomplete_details: cut ? { reason: 'max_output_tokens' } : null,
    instructions: instructions ?? null,
    max_output_tokens: max_output_tokens ?? null,
    metadata: null,
    model: completion.model,
    output,
    parallel_tool_calls: parallel_tool_calls ?? true,
    temperature: temperature ?? null,
    tool_choice: 'auto',
    tools: [],
    top_p: top_p ?? null,
    usage: usageOf(completion),
  };
}

function outputOf({ choices }: ChatCompletion, stem: string): OutputItem[] {
  const message = choices[0]?.message;
  if (message === undefined) return [];
  const text = message.content ?? '';
  const spoken: OutputItem[] =
    text === ''
      ? []
      : [
          {
            id: `msg_${stem}`,
            type: 'message',
            role: 'assistant',
            status: 'completed',
            content: [{ type: 'output_text', text, annotations: [], logprobs: [] }],
          },
        ];
  const calls = (message.tool_calls ?? []).filter((call) => call.type === 'function');
  return [
    ...spoken,
    ...calls.map((call, at): OutputItem => {
      const { name, arguments: text } = call.function;
      return {
        id: `fc_${stem}_${at}`,
        type: 'function_call',
        call_id: call.id,
        name,
        arguments: text,
        status: 'completed',
      };
    }),
  ];
}

function usageOf({ usage }: ChatCompletion): OpenAI.Responses.ResponseUsage {
  const input_tokens = usage?.prompt_tokens ?? 0;
  const output_tokens = usage?.completion_tokens ?? 0;
  return {
    input_tokens,
    input_tokens_details: { cached_tokens: usage?.prompt_tokens_details?.cached_tokens ?? 0, cache_write_tokens: 0 },
    output_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input_tokens + output_tokens,
  };
}
