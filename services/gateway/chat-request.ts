import { z } from 'zod';
import { ReasoningEffort, Sampling, ToolChoiceMode, textOnly, Verbosity } from './request-parts.ts';

const TextPart = z.strictObject({ type: textOnly('text'), text: z.string() });
const Content = z.union([z.string(), z.array(TextPart)]);
const Name = z.string().max(200).optional();

/** Loose: what a provider adds, such as a signature of its reasoning, it may want to see again. */
const ToolCall = z.looseObject({
  id: z.string(),
  type: z.literal('function'),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
});

/** Loose for the same reason. Audio is refused: it stands for what is stored at the provider, at a price not known here. */
const Answer = z
  .looseObject({
    role: z.literal('assistant'),
    content: Content.nullish(),
    tool_calls: z.array(ToolCall).nullish(),
    audio: z.null('audio is not carried').optional(),
    function_call: z.null('the older function_call is not carried; use tool_calls').optional(),
  })
  .transform(withoutNothingSaid);

const Message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: Content, name: Name }),
  z.strictObject({ role: z.literal('developer'), content: Content, name: Name }),
  z.strictObject({ role: z.literal('user'), content: Content, name: Name }),
  Answer,
  z.strictObject({ role: z.literal('tool'), tool_call_id: z.string(), content: Content, name: Name }),
]);

const FunctionTool = z.strictObject({
  type: z.literal('function', { error: 'only tools of type function, which the caller runs itself, are carried' }),
  function: z.strictObject({
    name: z.string().min(1),
    description: z.string().nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    strict: z.boolean().nullish(),
  }),
});

const ToolChoice = z.union([
  ToolChoiceMode,
  z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: z.string() }) }),
]);

const ResponseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({ type: z.literal('json_schema'), json_schema: z.record(z.string(), z.unknown()) }),
]);

/** The part of `POST /v1/chat/completions` that the gateway carries. Anything else is refused by name. */
export const ChatRequest = z.strictObject({
  model: z.string().min(1),
  messages: z.array(Message).min(1),
  tools: z.array(FunctionTool).nullish(),
  tool_choice: ToolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: ResponseFormat.nullish(),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  n: z.literal(1, { error: 'only one choice a request is carried' }).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .strictObject({ include_usage: z.boolean().nullish(), include_obfuscation: z.boolean().nullish() })
    .nullish(),
  reasoning_effort: ReasoningEffort.nullish(),
  verbosity: Verbosity.nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.int().nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  logit_bias: z.record(z.string(), z.number()).nullish(),
  modalities: z.array(z.literal('text', 'only text is carried')).nullish(),
  ...Sampling,
});
export type ChatRequest = z.infer<typeof ChatRequest>;

/** Clients send back fields that a reply left empty, which providers do not all take: null, and no calls. */
function withoutNothingSaid<T extends { content?: unknown; tool_calls?: unknown[] | null | undefined }>(message: T): T {
  const isSaid = ([name, value]: [string, unknown]) =>
    name === 'content' || (value !== null && !(name === 'tool_calls' && Array.isArray(value) && value.length === 0));
  // Only fields that may be left out are.
  return Object.fromEntries(Object.entries(message).filter(isSaid)) as T;
}
