import { CladeError } from '#services/errors.ts';
import type { Api } from './server.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Takes a body of plain bytes, `application/octet-stream`. */
    binary?: boolean;
  }
}

/** Lets routes take plain bytes that ask for it; all others take JSON alone. Call this before the routes are declared. */
export function takeBinary(app: Api): void {
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (request, body, done) => {
    if (request.routeOptions.config.binary === true) done(null, body);
    else done(new CladeError('not-json', 'Send JSON, with the header "content-type: application/json".'));
  });
}
