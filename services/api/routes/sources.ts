import { z } from 'zod';
import type { ApiDeps } from '#services/api/deps.ts';
import type { Api } from '#services/api/server.ts';
import { sha256 } from '#services/worker/content-folder.ts';
import { DIGEST_HEADER } from '#services/worker/wire.ts';

/** Agents' sources, for workers elsewhere. */
export function sourceRoutes(app: Api, { remote }: ApiDeps): void {
  if (remote === undefined) return;
  const { control } = remote.desk;
  const params = z.object({ tree: z.string().regex(/^[0-9a-f]{40,64}$/, 'must be the id of a git tree') });
  const options = { config: { role: 'worker' }, schema: { hide: true, params } } as const;
  app.get('/v1/sources/:tree', options, async ({ params }, reply) => {
    const tar = await control.source(params.tree);
    return reply.type('application/x-tar').header(DIGEST_HEADER, sha256(tar)).send(Buffer.from(tar));
  });
}
