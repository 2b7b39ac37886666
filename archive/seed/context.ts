import type { Message } from './model.ts';

const stub = 200;
const recent = 4;

/** Shortens the oldest tool results in place to fit `limit` characters; the latest stay whole. Returns the size reached. */
export function shorten(messages: Message[], limit: number): number {
  let size = messages.reduce((sum, message) => sum + length(message), 0);
  const results = messages.filter((message) => message.role === 'tool').slice(0, -recent);
  for (const message of results) {
    if (size <= limit) break;
    const result = message.content ?? '';
    if (result.length <= stub * 2) continue;
    size -= length(message);
    message.content = `${result.slice(0, stub)}\n[shortened: call the tool again to see the rest]`;
    size += length(message);
  }
  return size;
}

const length = (message: Message) => JSON.stringify(message).length;
