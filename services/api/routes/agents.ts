import { z } from 'zod';
import { readTar } from '#sandbox/tar.ts';
import type { ApiDeps } from '#services/api/deps.ts';
import { findAgent, findReference } from '#services/api/find.ts';
import { AgentDetail, IdParams, SourceFile } from '#services/api/schema.ts';
import type { Api } from '#services/api/server.ts';
import { agentDetail } from '#services/api/view.ts';
import { CladeError } from '#services/errors.ts';
import { answers, answersText, sendText } from './answers.ts';

const SOURCE_CAPS = { maxBytes: 64 * 1024 * 1024, maxEntries: 100_000 };

/** Shows agents: their evidence, their source, and how it differs from another's. */
export function agentRoutes(app: Api, { archive }: ApiDeps): void {
  const one = { params: IdParams, ...answers(AgentDetail, 'An agent: scores, clade, trials, tasks gained and lost') };
  app.get('/v1/agents/:id', { schema: one }, async ({ params }) => agentDetail(archive, findAgent(archive, params.id)));

  const against = z.object({ against: z.string().default('parent').describe('parent, seed, or an agent id') });
  const diff = { params: IdParams, querystring: against, ...answersText('What changed in its source, as a git diff') };
  app.get('/v1/agents/:id/diff', { schema: diff }, async ({ params, query }, reply) => {
    const agent = findAgent(archive, params.id);
    return sendText(
      reply,
      await archive.repository.diff(findReference(archive, agent, query.against).tree, agent.tree),
    );
  });

  const files = { params: IdParams, ...answers(z.array(SourceFile), 'The files of its source') };
  app.get('/v1/agents/:id/source', { schema: files }, async ({ params }) =>
    archive.repository.files(findAgent(archive, params.id).tree),
  );

  const path = IdParams.extend({ '*': z.string().describe('Path of the file in its source.') });
  const file = { params: path, ...answersText('One file of its source') };
  app.get('/v1/agents/:id/source/*', { schema: file }, async ({ params }, reply) => {
    const { id, tree } = findAgent(archive, params.id);
    const entries = readTar(await archive.repository.sourceTar(tree), SOURCE_CAPS);
    const entry = entries.find((one) => one.path === params['*']);
    if (entry === undefined)
      throw new CladeError('not-found', `Agent ${id} has no file ${JSON.stringify(params['*'])}.`);
    return sendText(reply, entry.bytes);
  });
}
