import { type IncomingMessage, maxHeaderSize, type ServerResponse } from 'node:http';
import { fastifySwagger } from '@fastify/swagger';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  type RawServerDefault,
} from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { z } from 'zod';
import { CladeError } from '#services/errors.ts';
import { takeBinary } from './binary.ts';
import type { ApiDeps } from './deps.ts';
import { problemOf } from './errors.ts';
import { createGuard, type Guard } from './guard.ts';
import { describeIssues } from './issues.ts';
import { refuseOtherMethods } from './methods.ts';
import { agentRoutes } from './routes/agents.ts';
import { blobRoutes } from './routes/blobs.ts';
import { eventRoutes } from './routes/events.ts';
import { jobRoutes } from './routes/jobs.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { proposalRoutes } from './routes/proposals.ts';
import { runRoutes } from './routes/runs.ts';
import { serviceRoutes } from './routes/service.ts';
import { sourceRoutes } from './routes/sources.ts';
import { trialRoutes } from './routes/trials.ts';
import { workerRoutes } from './routes/workers.ts';
import { named } from './schema.ts';
import { answerUnparsed } from './unparsed.ts';
import { version } from './version.ts';

export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

const BODY_BYTES = 256 * 1024;

/**
 * The HTTP interface, not listening yet. Closing it ends the event streams.
 * @throws CladeError `invalid-config` when it would listen beyond loopback without a token.
 */
export async function createServer(deps: ApiDeps): Promise<Api> {
  const app: Api = fastify({
    bodyLimit: BODY_BYTES,
    keepAliveTimeout: 5_000,
    clientErrorHandler: answerUnparsed,
    frameworkErrors: (error, request, reply) => void refuseUnrouted(error, request, reply),
    // What fastify and Node would refuse in forms of their own comes to the guard and the routes, and is refused there.
    return503OnClosing: false,
    http: { requireHostHeader: false },
    routerOptions: { maxParamLength: maxHeaderSize },
  }).withTypeProvider<ZodTypeProvider>();
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(({ schema, httpPart }) => validator(schema, httpPart));
  app.setSerializerCompiler(serializerCompiler);
  answerWithProblems(app, deps);
  const guard = await createGuard(app, deps.access);
  app.addHook('onRequest', guard);
  const refuseUnrouted = refusal(app, guard);
  const refuseTheRest = refuseOtherMethods(app);
  await describeItself(app);
  takeBinary(app);
  for (const routes of [serviceRoutes, metricsRoutes, runRoutes, agentRoutes, trialRoutes, proposalRoutes, eventRoutes])
    routes(app, deps);
  for (const routes of [workerRoutes, jobRoutes, sourceRoutes, blobRoutes]) routes(app, deps);
  refuseTheRest();
  await app.ready();
  return app;
}

function answerWithProblems(app: Api, { log }: Pick<ApiDeps, 'log'>): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    if (problem.code === 'internal') log?.error({ err: error, url: request.url }, 'a request failed');
    return reply.code(problem.status).type('application/problem+json').serializer(JSON.stringify).send(problem);
  });
  app.setNotFoundHandler((request: FastifyRequest) => {
    throw new CladeError(
      'not-found',
      `There is no ${request.method} ${request.url.split('?')[0]}. GET /openapi.json lists what there is.`,
    );
  });
}

/** Answers a request that fastify could not route, and therefore ran no hook for: with what the guard says, else its error. */
function refusal(app: Api, guard: Guard) {
  return async (error: Error, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const refused: unknown = await guard(request, reply).then(
      () => error,
      (reason) => reason,
    );
    app.errorHandler(refused, request, reply);
  };
}

function validator(schema: unknown, httpPart: string | undefined) {
  // Every route below is declared with zod schemas.
  const parser = schema as z.ZodType;
  const what = httpPart === 'querystring' ? 'query' : (httpPart ?? 'request');
  return (data: unknown) => {
    const { success, data: value, error } = parser.safeParse(data);
    return success ? { value } : { error: new CladeError('invalid-request', describeIssues(error.issues, what)) };
  };
}

/** Serves an OpenAPI document made of the schemas that validate the requests. */
async function describeItself(app: Api): Promise<void> {
  // Descriptions are in this registry, and a document is made from one alone.
  for (const [id, schema] of Object.entries(named)) z.globalRegistry.add(schema, { ...schema.meta(), id });
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Clade',
        version,
        description: 'Evolves coding agents: runs, lineage, trials, proposals and events.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }, {}],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
