import type { IncomingMessage, ServerResponse } from 'node:http';
import rateLimit from '@fastify/rate-limit';
import { fastifySwagger } from '@fastify/swagger';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  fastify,
  type RawServerDefault,
} from 'fastify';
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
  serializerCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { z } from 'zod';
import { CladeError } from '#services/errors.ts';
import { type Authenticate, createAuthenticate } from './auth.ts';
import type { Access, ApiDeps } from './deps.ts';
import { problemOf } from './errors.ts';
import { checkAddressed } from './host.ts';
import { describeIssues } from './issues.ts';
import { agentRoutes } from './routes/agents.ts';
import { eventRoutes } from './routes/events.ts';
import { proposalRoutes } from './routes/proposals.ts';
import { runRoutes } from './routes/runs.ts';
import { serviceRoutes } from './routes/service.ts';
import { trialRoutes } from './routes/trials.ts';
import { named } from './schema.ts';
import { version } from './version.ts';

export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a token. */
    open?: boolean;
  }
}

/** Far above what a person and their tools need; stops a client that has run wild. */
const REQUESTS_PER_MINUTE = 6_000;
const BODY_BYTES = 256 * 1024;
const responseHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cache-control': 'no-store',
};

/**
 * The HTTP interface, not listening yet. Closing it ends the event streams.
 * @throws CladeError `invalid-config` when it would listen beyond loopback without a token.
 */
export async function createServer(deps: ApiDeps): Promise<Api> {
  const authenticate = createAuthenticate(deps.access);
  const app = fastify({
    bodyLimit: BODY_BYTES,
    return503OnClosing: true,
    keepAliveTimeout: 5_000,
  }).withTypeProvider<ZodTypeProvider>();
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(({ schema, httpPart }) => validator(schema, httpPart));
  app.setSerializerCompiler(serializerCompiler);
  answerWithProblems(app, deps);
  guard(app, deps.access, authenticate);
  await app.register(rateLimit, { max: REQUESTS_PER_MINUTE, timeWindow: '1 minute', errorResponseBuilder: tooMany });
  await describeItself(app);
  for (const routes of [serviceRoutes, runRoutes, agentRoutes, trialRoutes, proposalRoutes, eventRoutes])
    routes(app, deps);
  await app.ready();
  return app;
}

function guard(app: Api, access: Access, authenticate: Authenticate): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(responseHeaders);
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    const { localAddress, localPort } = request.socket;
    const { host, origin } = request.headers;
    checkAddressed(access, { host, origin, localAddress, localPort, changes });
    if (request.routeOptions.config.open === true) return;
    const role = authenticate(request.headers.authorization);
    if (role === null) {
      reply.header('www-authenticate', 'Bearer');
      throw new CladeError('unauthorized', 'Send a token of this service: "authorization: Bearer <token>".');
    }
    if (changes && role !== 'admin')
      throw new CladeError('forbidden', 'A viewer token may only read; this needs the admin token.');
  });
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

function validator(schema: unknown, httpPart: string | undefined) {
  // Every route below is declared with zod schemas.
  const parser = schema as z.ZodType;
  const what = httpPart === 'querystring' ? 'query' : (httpPart ?? 'request');
  return (data: unknown) => {
    const { success, data: value, error } = parser.safeParse(data);
    return success ? { value } : { error: new CladeError('invalid-request', describeIssues(error.issues, what)) };
  };
}

function tooMany(_request: unknown, { after }: { after: string }): CladeError {
  return new CladeError(
    'rate-limited',
    `More than ${REQUESTS_PER_MINUTE} requests within a minute. Try again in ${after}.`,
  );
}

/** Serves an OpenAPI document made of the schemas that validate the requests. */
async function describeItself(app: Api): Promise<void> {
  const schemaRegistry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) schemaRegistry.add(schema, { id });
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
    transform: createJsonSchemaTransform({ schemaRegistry }),
    transformObject: createJsonSchemaTransformObject({ schemaRegistry }),
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
