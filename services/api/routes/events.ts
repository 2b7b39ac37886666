import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ApiDeps } from '#services/api/deps.ts';
import { eventStream } from '#services/api/events.ts';
import { findRun } from '#services/api/find.ts';
import { IdParams } from '#services/api/schema.ts';
import type { Api } from '#services/api/server.ts';
import { answersText } from './answers.ts';

const HEARTBEAT_MS = 15_000;
const Seq = z.coerce.number().int().nonnegative();

/** Streams what happens to a run. */
export function eventRoutes(app: Api, { archive, scheduler, heartbeatMs = HEARTBEAT_MS }: ApiDeps): void {
  const closing = new AbortController();
  app.addHook('preClose', async () => closing.abort());
  const schema = {
    ...answersText('The events of a run, past ones first; resumes after Last-Event-ID', 'text/event-stream'),
    params: IdParams,
    querystring: z.object({
      after: Seq.optional().describe('As Last-Event-ID, for clients that cannot set headers.'),
      follow: z.stringbool().default(true).describe('False: end after the last event there is.'),
    }),
    headers: z.object({ 'last-event-id': Seq.optional().describe('Number of the last event that the client has.') }),
  };
  app.get('/v1/runs/:id/events', { schema }, async ({ params, query, headers }, reply) => {
    const { id } = findRun(archive, params.id);
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const text = eventStream(archive, scheduler, {
      runId: id,
      afterSeq: headers['last-event-id'] ?? query.after ?? 0,
      follow: query.follow,
      heartbeatMs,
      signal: AbortSignal.any([closing.signal, gone.signal]),
    });
    return sendStream(reply, text);
  });
}

function sendStream(reply: FastifyReply, text: AsyncIterable<string>): FastifyReply {
  // A connection kept alive after its stream would hold up the end of the service.
  reply.header('connection', 'close');
  return reply.type('text/event-stream').send(Readable.from(text, { objectMode: false, highWaterMark: 64 * 1024 }));
}
