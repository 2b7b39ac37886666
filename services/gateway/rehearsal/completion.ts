import type {
  ChatCompletion,
  ChatCompletionCreateParams,
  ChatCompletionMessageFunctionToolCall,
} from 'openai/resources/chat/completions';
import { chance } from './chance.ts';
import type { Move } from './move.ts';

/** Characters that count as one token. */
const charsPerToken = 4;

/** A move in the words of the API. Ids, time and usage follow from the request and the move alone. */
export function completion(request: ChatCompletionCreateParams, move: Move, step: number): ChatCompletion {
  const toolCalls = move.kind === 'call' ? move.calls.map(({ purpose, call }) => toolCall(step, purpose, call)) : [];
  const message = { role: 'assistant' as const, content: move.text, refusal: null };
  return {
    id: `chatcmpl-${Math.floor(chance(JSON.stringify(request.messages)) * 2 ** 48).toString(36)}`,
    object: 'chat.completion',
    created: 0,
    model: request.model,
    choices: [
      {
        index: 0,
        finish_reason: toolCalls.length > 0 ? 'tool_calls' : 'stop',
        logprobs: null,
        message: toolCalls.length > 0 ? { ...message, tool_calls: toolCalls } : message,
      },
    ],
    usage: usage(request, move.text.length + JSON.stringify(toolCalls).length),
  };
}

function toolCall(
  step: number,
  purpose: string,
  call: { name: string; args: unknown },
): ChatCompletionMessageFunctionToolCall {
  return {
    id: `call_${step + 1}_${purpose}`,
    type: 'function',
    function: { name: call.name, arguments: JSON.stringify(call.args) },
  };
}

function usage(request: ChatCompletionCreateParams, answerChars: number): ChatCompletion['usage'] {
  const promptChars = JSON.stringify(request.messages).length + JSON.stringify(request.tools ?? []).length;
  const prompt = Math.ceil(promptChars / charsPerToken);
  const answer = Math.ceil(answerChars / charsPerToken);
  return { prompt_tokens: prompt, completion_tokens: answer, total_tokens: prompt + answer };
}
