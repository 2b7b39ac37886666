import rateLimit from '@fastify/rate-limit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CladeError } from '#services/errors.ts';
import { type Authenticate, createAuthenticate, type Role } from './auth.ts';
import type { Access } from './deps.ts';
import { responseHeaders } from './headers.ts';
import { checkAddressed } from './host.ts';
import type { Api } from './server.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a token. */
    open?: boolean;
    /** For workers: answered with their token. */
    role?: 'worker';
  }
}

/** Far above what a person and their tools need; stops a client that has run wild. */
const REQUESTS_PER_MINUTE = 6_000;
/** Far above what a tool that was set up wrongly sends before someone looks, far below what finds a token. */
const WRONG_TOKENS_PER_MINUTE = 60;

/**
 * Lets a request pass that is to be answered, and gives every answer its headers. Asked before anything else is done.
 * @throws CladeError `shutting-down`, `rate-limited`, `wrong-host`, `wrong-origin`, `unauthorized`, `forbidden`.
 */
export type Guard = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** @throws CladeError `invalid-config` for an address beyond loopback without a token. */
export async function createGuard(app: Api, access: Access): Promise<Guard> {
  const authenticate = createAuthenticate(access);
  const roleOf = await createRoleOf(app, authenticate);
  const countRequest = app.createRateLimit({ max: REQUESTS_PER_MINUTE, timeWindow: '1 minute' });
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
  });
  return async (request, reply) => {
    reply.headers(responseHeaders);
    if (closing) throw new CladeError('shutting-down', 'This service is ending.');
    const isForWorkers = request.routeOptions.config.role === 'worker';
    const { host, origin, authorization } = request.headers;
    // A fleet at work asks more than anybody else, all of it from one address perhaps.
    const isAwaited = isForWorkers && authenticate(authorization) !== null;
    if (!isAwaited) refuseExcess(await countRequest(request), 'requests', reply);
    const changes = request.method !== 'GET' && request.method !== 'HEAD';
    const { localAddress, localPort } = request.socket;
    // No page of a browser has a token to send, and workers may know this service by any name.
    if (!isForWorkers || authorization === undefined)
      checkAddressed(access, { host, origin, localAddress, localPort, changes });
    if (request.routeOptions.config.open === true) return;
    assertMay(await roleOf(request, reply), { isForWorkers, changes });
  };
}

function assertMay(role: Role, { isForWorkers, changes }: { isForWorkers: boolean; changes: boolean }): void {
  if (role === 'admin' || (role === 'worker' && isForWorkers)) return;
  if (role === 'worker')
    throw new CladeError('forbidden', 'A worker token is for workers alone; people need the admin or viewer token.');
  if (isForWorkers)
    throw new CladeError('forbidden', 'A viewer token may only read; workers need the token in CLADE_WORKER_TOKEN.');
  if (changes) throw new CladeError('forbidden', 'A viewer token may only read; this needs the admin token.');
}

/**
 * Who sends a request, by its token. An address that sent too many wrong ones is not listened to until the minute is over,
 * be its next token right or wrong: that bounds guessing. One that a right token came from before is always listened to, so
 * that guesses beside an honest client do not shut it out.
 */
async function createRoleOf(app: Api, authenticate: Authenticate) {
  await app.register(rateLimit, { global: false });
  const countTry = app.createRateLimit({ max: WRONG_TOKENS_PER_MINUTE, timeWindow: '1 minute' });
  const trusted = new Set<string>();
  return async (request: FastifyRequest, reply: FastifyReply): Promise<Role> => {
    const { authorization } = request.headers;
    const role = authenticate(authorization);
    if (role !== null && trusted.has(request.ip)) return role;
    if (authorization !== undefined) refuseExcess(await countTry(request), 'wrong tokens', reply);
    if (role !== null) {
      trusted.add(request.ip);
      return role;
    }
    reply.header('www-authenticate', 'Bearer');
    throw new CladeError('unauthorized', 'Send a token of this service: "authorization: Bearer <token>".');
  };
}

type Count = Awaited<ReturnType<ReturnType<Api['createRateLimit']>>>;

function refuseExcess(count: Count, what: string, reply: FastifyReply): void {
  if (count.isAllowed || !count.isExceeded) return;
  reply.header('retry-after', count.ttlInSeconds);
  throw new CladeError(
    'rate-limited',
    `More than ${count.max} ${what} came from ${count.key} within a minute. Try again in ${count.ttlInSeconds} s.`,
  );
}
