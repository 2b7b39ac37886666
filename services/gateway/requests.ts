import type { z } from 'zod';
import { ChatRequest } from './chat-request.ts';
import type { CatalogEntry } from './models.ts';
import type { ModelPrice } from './prices.ts';
import { droppedFields } from './request-parts.ts';
import { ResponsesRequest } from './responses-request.ts';
import type { ApiError, CallPath } from './upstream-contract.ts';

/** A request that passed: its body as the client wrote it, but for fields that said nothing. */
export interface CheckedRequest {
  path: CallPath;
  model: string;
  stream: boolean;
  /** The client wants the usage as a last chunk of its chat stream. */
  wantsUsage: boolean;
  body: Readonly<Record<string, unknown>>;
}

/** Checks a request body against the part of the API that is carried here. */
export function checkRequest(path: CallPath, json: unknown): CheckedRequest | { refused: ApiError } {
  const parsed = (path === '/v1/responses' ? ResponsesRequest : ChatRequest).safeParse(
    withTypes(path, withoutNulls(json)),
  );
  if (!parsed.success) return { refused: worded(parsed.error.issues) };
  const body = withoutNothing(parsed.data);
  const options = parsed.data.stream_options;
  const wantsUsage =
    options !== null && options !== undefined && 'include_usage' in options && options.include_usage === true;
  return { path, model: parsed.data.model, stream: parsed.data.stream === true, wantsUsage, body };
}

/** The body for the provider: the operator's fields added, the output limited, nothing stored, usage always reported. */
export function upstreamBody(
  { path, body, stream }: CheckedRequest,
  entry: CatalogEntry,
  price: ModelPrice,
): { body: Record<string, unknown>; maxOutputTokens: number } {
  const { max_tokens, max_completion_tokens, max_output_tokens, stream_options: _, n: __, ...carried } = body;
  const rest = Object.fromEntries(Object.entries(carried).filter(([name]) => !droppedFields.includes(name)));
  const asked = [max_tokens, max_completion_tokens, max_output_tokens].filter((value) => typeof value === 'number');
  const maxOutputTokens = Math.min(...asked, entry.maxOutputTokens, price.maxOutputTokens);
  const chat = path === '/v1/chat/completions';
  const limit = { [chat ? entry.maxTokensField : 'max_output_tokens']: maxOutputTokens };
  const fixed = chat ? (stream ? { stream_options: { include_usage: true } } : {}) : { store: false };
  const params = chat ? entry.params.chat : entry.params.responses;
  return { body: { ...rest, ...params, model: entry.model, ...limit, ...fixed }, maxOutputTokens };
}

/** The same text for the same request, whatever the order of its keys. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** A field that is null says nothing, also one that would be refused if it said something. */
function withoutNulls(json: unknown): unknown {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? withoutNothing(json) : json;
}

/** The Responses API lets a message go without its type, which a choice by type needs. */
function withTypes(path: CallPath, json: unknown): unknown {
  if (path !== '/v1/responses' || typeof json !== 'object' || json === null || !('input' in json)) return json;
  if (!Array.isArray(json.input)) return json;
  const input = json.input.map((item: unknown) =>
    typeof item === 'object' && item !== null && 'role' in item && !('type' in item)
      ? { type: 'message', ...item }
      : item,
  );
  return { ...json, input };
}

function withoutNothing(body: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined));
}

/** The first issue in the words of the OpenAI API, with the parameter it is about. */
function worded(issues: readonly z.core.$ZodIssue[]): ApiError {
  const issue = deepest(issues);
  const path = [...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const param = paramName([...path, issue.keys[0] ?? '']);
    return refusal(
      `Unknown parameter: '${param}'. It is not among those this gateway carries.`,
      param,
      'unknown_parameter',
    );
  }
  const param = paramName(path);
  return refusal(
    `Invalid value for '${param || 'the request body'}': ${issue.message}.`,
    param || null,
    'invalid_value',
  );
}

function refusal(message: string, param: string | null, code: string): ApiError {
  return { message, type: 'invalid_request_error', param, code };
}

interface Located {
  issue: z.core.$ZodIssue;
  path: PropertyKey[];
}

/** Of the alternatives of a union, the one that got furthest before it failed says best what is wrong. */
function deepest(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue {
  const located = issues.flatMap((issue) => flattened({ issue, path: issue.path }));
  const best = located.reduce((a, b) => (b.path.length > a.path.length ? b : a));
  return { ...best.issue, path: best.path };
}

function flattened({ issue, path }: Located): Located[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [{ issue, path }];
  return issue.errors.flatMap((branch) =>
    branch.flatMap((inner) => flattened({ issue: inner, path: [...path, ...inner.path] })),
  );
}

function paramName(path: readonly PropertyKey[]): string {
  return path
    .map((key, at) => (typeof key === 'number' ? `[${key}]` : at === 0 ? String(key) : `.${String(key)}`))
    .join('');
}
