import { open } from 'node:fs/promises';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { ApiDeps } from '#services/api/deps.ts';
import type { Api } from '#services/api/server.ts';
import type { UploadStanding } from '#services/api/uploads.ts';
import { CladeError } from '#services/errors.ts';
import { Count, Digest, LENGTH_HEADER, OFFSET_HEADER, PIECE_BYTES } from '#services/worker/wire.ts';

/**
 * Blobs by digest, for workers elsewhere: those that jobs name, and those that results name. An upload is a PATCH for each
 * piece; HEAD says how far it is.
 */
export function blobRoutes(app: Api, { remote }: ApiDeps): void {
  if (remote === undefined) return;
  const { blobs, uploads } = remote.desk;
  const params = z.object({ digest: Digest });
  const config = { role: 'worker' } as const;

  app.get(
    '/v1/blobs/:digest',
    { config, exposeHeadRoute: false, schema: { hide: true, params } },
    async ({ params }, reply) => {
      const found = await blobs.find(params.digest);
      const file = found && (await open(found.path).catch(() => null));
      if (!file) throw new CladeError('not-found', `There is no blob ${params.digest} here (any more).`);
      return reply
        .type('application/octet-stream')
        .header('content-length', found?.bytes)
        .send(file.createReadStream());
    },
  );

  app.head('/v1/blobs/:digest', { config, schema: { hide: true, params } }, async ({ params }, reply) =>
    sendStanding(reply, await uploads.standing(params.digest)),
  );

  const headers = z.object({ [OFFSET_HEADER]: Count, [LENGTH_HEADER]: Count });
  const patch = {
    config: { ...config, binary: true },
    bodyLimit: PIECE_BYTES,
    schema: { hide: true, params, headers },
  };
  app.patch('/v1/blobs/:digest', patch, async ({ params, headers, body }, reply) => {
    const bytes = body instanceof Uint8Array ? body : new Uint8Array();
    const { [OFFSET_HEADER]: offset, [LENGTH_HEADER]: length } = headers;
    return sendStanding(reply, await uploads.add(params.digest, { offset, length, bytes }));
  });
}

function sendStanding(reply: FastifyReply, { offset, complete }: UploadStanding): FastifyReply {
  return reply
    .code(204)
    .header(OFFSET_HEADER, offset)
    .header('upload-complete', complete ? '?1' : '?0')
    .send();
}
