import type { Message } from './model.ts';

const stub = 200;
const recent = 4;

/** Shortens the oldest tool results in place until the conversation fits `limit` characters; the latest stay whole. */
export function shorten(messages: Message[], limit: number): void {
  let size = messages.reduce((sum, message) => sum + length(message), 0);
  const results = messages.filter((message) => message.role === 'tool').slice(0, -recent);
  for (const message of results) {
    if (size <= limit) return;
    const before = message.content ?? '';
    if (before.length <= stub * 2) continue;
    message.content = `${before.slice(0, stub)}\n[shortened: call the tool again to see the rest]`;
    size -= before.length - message.content.length;
  }
}

function length(message: Message): number {
  const calls = message.tool_calls ?? [];
  return (message.content?.length ?? 0) + calls.reduce((sum, call) => sum + call.function.arguments.length, 0);
}
