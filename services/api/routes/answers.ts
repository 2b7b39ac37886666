import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { Problem } from '#services/api/schema.ts';
import { CladeError } from '#services/errors.ts';

const problem = {
  description: 'What was wrong with the request, and what to do',
  content: { 'application/problem+json': { schema: Problem } },
};

/** The part of a route's schema that says what it answers. */
export function answers<Body extends z.ZodType>(body: Body, summary: string) {
  return { summary, response: { 200: body, '4xx': problem } };
}

/** The same for a route that answers with text. */
export function answersText(summary: string, type: 'text/plain' | 'text/event-stream' = 'text/plain') {
  const text = { description: summary, content: { [type]: { schema: z.string() } } };
  return { summary, response: { 200: text, '4xx': problem } };
}

/** Sends what an agent wrote, as nothing but text. */
export function sendText(reply: FastifyReply, text: string | Uint8Array): FastifyReply {
  const body = typeof text === 'string' ? text : Buffer.from(text);
  return reply.type('text/plain; charset=utf-8').send(body);
}

/** The name of a stored text. @throws CladeError `not-found` when there is none (yet). */
export function stored(name: string | null, what: string): string {
  if (name !== null) return name;
  throw new CladeError('not-found', `There is no ${what}: it was not produced, or the job is still under way.`);
}
