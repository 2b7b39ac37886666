import type { ChatCompletionCreateParams, ChatCompletionMessageParam } from 'openai/resources/chat/completions';

/** What a tool call was made for. It travels in the call's id, as `call_<step>_<purpose>`. */
export type Purpose = string;

/** A conversation as the rehearsal sees it. */
export interface Conversation {
  /** System and developer messages. */
  system: string;
  /** The first message of the user: the task. */
  task: string;
  /** Answers the model has given. */
  steps: number;
  /** Messages of the user after the task. */
  nudges: number;
  /** Results by the purpose of the call, in order. */
  results: ReadonlyMap<Purpose, readonly string[]>;
  /** Every tool result, one after the other. */
  seen: string;
}

const ID = /^call_\d+_(.+)$/;

export function readConversation(request: ChatCompletionCreateParams): Conversation {
  const users = request.messages.filter(({ role }) => role === 'user').map(textOf);
  const results = new Map<Purpose, string[]>();
  for (const message of request.messages) {
    if (message.role !== 'tool') continue;
    const purpose = ID.exec(message.tool_call_id)?.[1] ?? 'unknown';
    results.set(purpose, [...(results.get(purpose) ?? []), textOf(message)]);
  }
  return {
    system: request.messages
      .filter(({ role }) => role === 'system' || role === 'developer')
      .map(textOf)
      .join('\n'),
    task: users[0] ?? '',
    steps: request.messages.filter(({ role }) => role === 'assistant').length,
    nudges: Math.max(0, users.length - 1),
    results,
    seen: [...results.values()].flat().join('\n'),
  };
}

/** The latest result of a call made for this, or null. */
export function lastResult(conversation: Conversation, purpose: Purpose): string | null {
  return conversation.results.get(purpose)?.at(-1) ?? null;
}

/** Whether a tool's result says that it did not work. */
export function failed(result: string): boolean {
  return /^\s*(error|failed)\b/i.test(result) || /\bexit code (?!0\b)/.test(result.slice(-200));
}

function textOf(message: ChatCompletionMessageParam): string {
  const { content } = message;
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => ('text' in part ? part.text : '')).join('');
}
