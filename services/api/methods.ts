import type { HTTPMethods } from 'fastify';
import { CladeError } from '#services/errors.ts';
import type { Api } from './server.ts';

/**
 * Lets a known path answer 405, with what it allows, to the methods it does not have (RFC 9110, section 15.5.6). Call this
 * before the routes are declared, and what it returns after them.
 */
export function refuseOtherMethods(app: Api): () => void {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    methodsOf.set(url, new Set([...(methodsOf.get(url) ?? []), ...[method].flat()]));
  });
  return () => {
    for (const [url, methods] of [...methodsOf]) refuseAllBut(app, url, methods);
  };
}

function refuseAllBut(app: Api, url: string, methods: ReadonlySet<string>): void {
  const allowed = [...methods].sort().join(', ');
  app.route({
    url,
    // Fastify names its own methods.
    method: app.supportedMethods.filter((method) => !methods.has(method)) as HTTPMethods[],
    exposeHeadRoute: false,
    schema: { hide: true },
    // Before the body is read, which says nothing about the method.
    onRequest: async ({ method }, reply) => {
      reply.header('allow', allowed);
      throw new CladeError('wrong-method', `${url} does not take ${method}. It takes ${allowed}.`);
    },
    handler: () => undefined,
  });
}
