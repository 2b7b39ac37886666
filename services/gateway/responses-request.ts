import { z } from 'zod';
import { ReasoningEffort, Sampling, ToolChoiceMode, textOnly, Verbosity } from './request-parts.ts';

const Echoed = { id: z.string().nullish(), status: z.string().nullish() };

const InputContent = z.union([z.string(), z.array(z.strictObject({ type: textOnly('input_text'), text: z.string() }))]);
/** Loose, as all items that a reply was made of: what a provider adds, it may want to see again. */
const OutputPart = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('output_text'), text: z.string() }),
  z.looseObject({ type: z.literal('input_text'), text: z.string() }),
  z.looseObject({ type: z.literal('refusal'), refusal: z.string() }),
]);

const AskedMessage = z.strictObject({
  type: z.literal('message').default('message'),
  role: z.enum(['system', 'developer', 'user']),
  content: InputContent,
  ...Echoed,
});
const AnsweredMessage = z.looseObject({
  type: z.literal('message').default('message'),
  role: z.literal('assistant'),
  content: z.union([z.string(), z.array(OutputPart)]),
  ...Echoed,
});
const FunctionCall = z.looseObject({
  type: z.literal('function_call'),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
  ...Echoed,
});
const FunctionCallOutput = z.strictObject({
  type: z.literal('function_call_output'),
  call_id: z.string(),
  output: InputContent,
  ...Echoed,
});
const Reasoning = z.looseObject({
  type: z.literal('reasoning'),
  summary: z.array(z.strictObject({ type: z.literal('summary_text'), text: z.string() })),
  content: z.array(z.strictObject({ type: z.literal('reasoning_text'), text: z.string() })).nullish(),
  encrypted_content: z.string().nullish(),
  ...Echoed,
});

const Item = z.discriminatedUnion('type', [
  z.discriminatedUnion('role', [AskedMessage, AnsweredMessage]),
  FunctionCall,
  FunctionCallOutput,
  Reasoning,
]);
export type InputItem = z.infer<typeof Item>;

const FunctionTool = z.strictObject({
  type: z.literal('function', { error: 'only tools of type function, which the caller runs itself, are carried' }),
  name: z.string().min(1),
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
});

const ToolChoice = z.union([ToolChoiceMode, z.strictObject({ type: z.literal('function'), name: z.string() })]);

const TextFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    name: z.string(),
    schema: z.record(z.string(), z.unknown()),
    description: z.string().optional(),
    strict: z.boolean().nullish(),
  }),
]);

/**
 * The part of `POST /v1/responses` that the gateway carries: no stored conversations (their length, and so their price, is
 * not known here), no tools that run at the provider, no images or files.
 */
export const ResponsesRequest = z.strictObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(Item).min(1)]),
  instructions: z.string().nullish(),
  tools: z.array(FunctionTool).nullish(),
  tool_choice: ToolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  text: z.strictObject({ format: TextFormat.optional(), verbosity: Verbosity.nullish() }).nullish(),
  reasoning: z
    .strictObject({ effort: ReasoningEffort.nullish(), summary: z.enum(['auto', 'concise', 'detailed']).nullish() })
    .nullish(),
  include: z.array(z.literal('reasoning.encrypted_content')).nullish(),
  max_output_tokens: z.int().positive().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_obfuscation: z.boolean().optional() }).nullish(),
  truncation: z.enum(['auto', 'disabled']).nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  background: z.literal(false, 'only calls that are waited for are carried').nullish(),
  ...Sampling,
});
export type ResponsesRequest = z.infer<typeof ResponsesRequest>;
