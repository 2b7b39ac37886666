import { z } from 'zod';
import { ReasoningEffort, Sampling, ToolChoiceMode, textOnly, Verbosity } from './request-parts.ts';

const TextPart = z.strictObject({ type: textOnly('text'), text: z.string() });
const Content = z.union([z.string(), z.array(TextPart)]);
const Name = z.string().max(200).optional();

const ToolCall = z.strictObject({
  id: z.string(),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
  index: z.int().optional(),
});

/** What a reply's message holds besides, so that a client may send it back as it came. */
const Echoed = {
  refusal: z.string().nullish(),
  annotations: z.array(z.unknown()).max(0).nullish(),
  audio: z.null().optional(),
  function_call: z.null().optional(),
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
};

const Message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('system'), content: Content, name: Name }),
  z.strictObject({ role: z.literal('developer'), content: Content, name: Name }),
  z.strictObject({ role: z.literal('user'), content: Content, name: Name }),
  z.strictObject({
    role: z.literal('assistant'),
    content: Content.nullish(),
    tool_calls: z.array(ToolCall).min(1).nullish(),
    name: Name,
    ...Echoed,
  }),
  z.strictObject({ role: z.literal('tool'), tool_call_id: z.string(), content: Content }),
]);

const FunctionTool = z.strictObject({
  type: z.literal('function', { error: 'only tools of type function, which the caller runs itself, are carried' }),
  function: z.strictObject({
    name: z.string().min(1),
    description: z.string().optional(),
    parameters: z.record(z.string(), z.unknown()).optional(),
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
    .strictObject({ include_usage: z.boolean().optional(), include_obfuscation: z.boolean().optional() })
    .nullish(),
  reasoning_effort: ReasoningEffort.nullish(),
  verbosity: Verbosity.nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  seed: z.int().nullish(),
  ...Sampling,
});
export type ChatRequest = z.infer<typeof ChatRequest>;
