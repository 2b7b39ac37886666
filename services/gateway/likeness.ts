import { type Span, withoutReadings } from './readings.ts';
import { droppedFields } from './request-parts.ts';
import type { CheckedRequest } from './requests.ts';

/** Fields that say who asks, and change nothing about what is asked. */
const askers: readonly string[] = [...droppedFields, 'user', 'prompt_cache_key'];

/**
 * A request's body as it is compared with that of the same job's earlier run: without what names the asker, and with what
 * was read off a clock, a stopwatch or an address taken out of what the model is told. What the model said, the tools it is
 * offered and all settings count as they are.
 * @param span when the run of the job has been going on.
 */
export function likenessOf({ path, body }: Pick<CheckedRequest, 'path' | 'body'>, span: Span): Record<string, unknown> {
  const told = path === '/v1/responses' ? ['instructions', 'input'] : ['messages'];
  const parts = Object.entries(body)
    .filter(([name]) => !askers.includes(name))
    .map(([name, value]) => [name, told.includes(name) ? withoutReadingsIn(value, span) : value]);
  return Object.fromEntries(parts);
}

/** A text, or messages and items with texts in them, of which those of the model stay as they are. */
function withoutReadingsIn(told: unknown, span: Span): unknown {
  if (typeof told === 'string') return withoutReadings(told, span);
  if (Array.isArray(told)) return told.map((part) => withoutReadingsIn(part, span));
  if (typeof told !== 'object' || told === null || isOfModel(told)) return told;
  const parts = Object.entries(told).map(([name, value]) => [
    name,
    textFields.includes(name) ? withoutReadingsIn(value, span) : value,
  ]);
  return Object.fromEntries(parts);
}

/** Where messages, items and their parts hold text. */
const textFields = ['content', 'output', 'text'];

function isOfModel(told: object): boolean {
  if ('role' in told) return told.role === 'assistant';
  return 'type' in told && (told.type === 'function_call' || told.type === 'reasoning');
}
