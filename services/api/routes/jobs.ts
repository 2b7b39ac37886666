import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { CallRole, type JobId, Lease } from '#archive/schema.ts';
import type { ApiDeps } from '#services/api/deps.ts';
import type { JobDesk } from '#services/api/job-desk.ts';
import type { Api } from '#services/api/server.ts';
import { CladeError } from '#services/errors.ts';
import { CALL_NAME_HEADER } from '#services/gateway/gateway.ts';
import {
  CALL_HEADER,
  ClaimBody,
  CompleteBody,
  Count,
  EPOCH_HEADER,
  FROM_HEADER,
  GATEWAY_HEADER,
  JobParams,
  PATH_CHARS,
  PATH_HEADER,
  ProgressBody,
  ReleaseBody,
  RenewBody,
  StageBody,
} from '#services/worker/wire.ts';

const MIB = 1024 * 1024;
const config = { role: 'worker' } as const;
const params = JobParams;

/** What workers elsewhere ask about single jobs. */
export function jobRoutes(app: Api, { remote }: ApiDeps): void {
  if (remote === undefined) return;
  const { desk } = remote;
  const { control } = desk;
  /** The lease that a request names: who has one has heard of it. */
  const leaseOf = (jobId: JobId, epoch: number): Lease => {
    const lease = { jobId, epoch };
    desk.heard(lease);
    return lease;
  };

  app.post('/v1/jobs/:id/claim', { config, schema: hidden(ClaimBody) }, async ({ params, body }) => ({
    job: await desk.claim(params.id, body),
  }));

  app.post('/v1/jobs/:id/renew', { config, schema: hidden(RenewBody) }, async ({ params, body }) => ({
    held: await control.renew(leaseOf(params.id, body.epoch)),
  }));

  app.post('/v1/jobs/:id/progress', { config, schema: hidden(ProgressBody) }, async ({ params, body }) => {
    const { epoch, ...progress } = body;
    control.report(leaseOf(params.id, epoch), { jobId: params.id, ...progress });
    return { held: true };
  });

  // Short texts are within, and the paths of a large patch in the notes on its grading: with what JSON makes of control characters.
  const complete = { config, bodyLimit: 32 * MIB, schema: hidden(CompleteBody) };
  app.post('/v1/jobs/:id/complete', complete, async ({ params, body }) => ({
    held: await desk.complete(leaseOf(params.id, body.epoch), body.result),
  }));

  app.post('/v1/jobs/:id/release', { config, schema: hidden(ReleaseBody) }, async ({ params, body }) => {
    await control.release(leaseOf(params.id, body.epoch), body.reason, body.infra);
    return { held: true };
  });

  // A patch of the most that is taken, were every byte of it escaped.
  const stage = { config, bodyLimit: 16 * MIB, schema: hidden(StageBody) };
  app.post('/v1/jobs/:id/stage', stage, async ({ params, body }) =>
    control.stage(leaseOf(params.id, body.epoch), body.parentCommit, body.patch),
  );

  modelRoute(app, desk);
}

/**
 * Carries model calls to the gateway, and its answers back as they come. A worker whose connection broke asks again for the
 * rest; DELETE says that it never will.
 */
function modelRoute(app: Api, desk: JobDesk): void {
  const url = '/v1/jobs/:id/model/:role';
  const schema = {
    hide: true,
    params: JobParams.extend({ role: CallRole }),
    headers: z.object({
      [EPOCH_HEADER]: Count.pipe(Lease.shape.epoch),
      [CALL_HEADER]: z.string().min(8).max(64),
      [FROM_HEADER]: Count.default(0),
      [PATH_HEADER]: z.string().startsWith('/').max(PATH_CHARS),
    }),
  };
  app.addHook('preClose', () => desk.calls.close());
  app.route({
    ...{ method: ['GET', 'POST'], url, exposeHeadRoute: false, schema },
    config: { ...config, binary: true },
    bodyLimit: 16 * MIB,
    async handler({ params, headers, body, method }, reply) {
      const { [EPOCH_HEADER]: epoch, [CALL_HEADER]: id, [FROM_HEADER]: from } = headers;
      const lease = { jobId: params.id, epoch };
      desk.heard(lease);
      const bytes = method === 'POST' ? bytesOf(body) : null;
      const request = (signal: AbortSignal) =>
        new Request(`http://gateway${headers[PATH_HEADER]}`, {
          ...{ method, body: bytes, signal },
          headers: { [CALL_NAME_HEADER]: id },
        });
      const answer = await desk.calls.ask({ id, from, listening: endOf(reply) }, (signal) =>
        desk.control.model(lease, params.role, request(signal)),
      );
      if (answer === null)
        throw new CladeError(
          'call-unknown',
          `The answer to call ${id} is not kept (any more), of which byte ${from} is asked.`,
        );
      reply.code(answer.status).headers(Object.fromEntries(answer.headers)).header(GATEWAY_HEADER, 'yes');
      return reply.send(Readable.fromWeb(answer.body));
    },
  });
  app.delete(url, { config, schema }, async ({ headers }, reply) => {
    desk.calls.hangUp(headers[CALL_HEADER]);
    return reply.code(204).send();
  });
}

/** Aborts when the connection ends, or the answer is complete. */
function endOf(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}

function bytesOf(body: unknown): Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array ? new Uint8Array(body) : new Uint8Array();
}

function hidden<Body extends z.ZodType>(body: Body) {
  return { hide: true, params, body };
}
