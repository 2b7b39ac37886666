import { request } from 'node:http';
import type { Tool } from './tools.ts';

export interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

export interface Message {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string | null;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
  /** These go back as they came, even when empty: some providers refuse their own calls without. */
  reasoning_content?: string;
  reasoning_details?: unknown;
}

/** `isCut`: the model had more to say than fits one answer. */
export type Reply = { message: Message; isCut: boolean };

/** The conversation is too long for the model. */
export class ContextOverflow extends Error {}

/** The endpoint said no, and would again. */
export class ModelRefused extends Error {}

export interface ModelOptions {
  baseUrl: string;
  model: string;
  apiKey: string;
  /** Time left for the whole task. */
  leftMs(): number;
  /** First pause before a retry; each next one is twice as long. Default 500. */
  pauseMs?: number;
}

export type Chat = (messages: Message[], tools: Tool[]) => Promise<Reply>;

const attempts = 5;
const maxPauseMs = 8_000;

/** A client of an OpenAI-compatible chat completions endpoint that tries again what may pass the next time. */
export function createChat(options: ModelOptions): Chat {
  return async (messages, tools) => {
    const body = JSON.stringify({ model: options.model, messages, tools: tools.map(describeTool) });
    for (let attempt = 1; ; attempt++) {
      const result = await post(options, body);
      if (!('retryAfterMs' in result)) return result;
      const pauseMs = Math.min(maxPauseMs, result.retryAfterMs ?? (options.pauseMs ?? 500) * 2 ** (attempt - 1));
      if (attempt === attempts || pauseMs >= options.leftMs()) throw new ModelRefused(result.reason);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
}

type Again = { reason: string; retryAfterMs: number | null };

async function post(options: ModelOptions, body: string): Promise<Reply | Again> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${options.apiKey}` };
  try {
    const signal = AbortSignal.timeout(Math.max(1, Math.ceil(options.leftMs())));
    const url = new URL(`${options.baseUrl}/chat/completions`);
    const response = await send(url, { headers, signal }, body);
    return response.status === 200 ? readReply(response.text) : refuse(response);
  } catch (error) {
    if (error instanceof ContextOverflow || error instanceof ModelRefused) throw error;
    return { reason: `no answer from the model: ${String(error)}`, retryAfterMs: null };
  }
}

interface Response {
  status: number;
  retryAfter: string | undefined;
  shouldRetry: unknown;
  text: string;
}

/** What `fetch` does; but that takes as long to load as all the rest of a short task. */
async function send(url: URL, options: { headers: Record<string, string>; signal: AbortSignal }, body: string) {
  const start = url.protocol === 'https:' ? (await import('node:https')).request : request;
  return new Promise<Response>((resolve, reject) => {
    const call = start(url, { method: 'POST', ...options }, (response) => {
      const { statusCode: status = 0, headers } = response;
      const [retryAfter, shouldRetry] = [headers['retry-after'], headers['x-should-retry']];
      const chunks = response.setEncoding('utf8').toArray();
      chunks.then((texts) => resolve({ status, retryAfter, shouldRetry, text: texts.join('') }), reject);
    });
    call.on('error', reject).end(body);
  });
}

function readReply(text: string): Reply {
  const { message, finish_reason } = JSON.parse(text).choices[0];
  const { content = null, tool_calls, reasoning_content, reasoning_details } = message;
  const kept = Object.entries({ reasoning_content, reasoning_details }).filter(([, value]) => value != null);
  const calls = tool_calls?.length ? { tool_calls } : {};
  const said = { role: 'assistant' as const, content, ...calls, ...Object.fromEntries(kept) };
  return { message: said, isCut: finish_reason === 'length' };
}

/** How OpenAI and its like, Anthropic, Gemini, llama.cpp and Bedrock say that a conversation is too long. */
const tooLong =
  /context.length|context window|too many tokens|prompt is too long|input token count.*exceeds the maximum|exceeds the available context size|input is too long for requested model/i;

function refuse(response: Response): Again {
  const reason = `the model answered ${response.status}: ${response.text.slice(0, 300)}`;
  // With 429, too many tokens means too many a minute.
  const isOverflow = response.status === 413 || (response.status !== 429 && tooLong.test(response.text));
  if (isOverflow) throw new ContextOverflow(reason);
  const passing = response.status === 408 || response.status === 429 || response.status >= 500;
  if (!passing || response.shouldRetry === 'false') throw new ModelRefused(reason);
  const seconds = Number.parseFloat(response.retryAfter ?? '');
  return { reason, retryAfterMs: Number.isNaN(seconds) ? null : seconds * 1000 };
}

function describeTool(tool: Tool): unknown {
  const parameters = { type: 'object', properties: tool.parameters, required: tool.required };
  return { type: 'function', function: { name: tool.name, description: tool.description, parameters } };
}
