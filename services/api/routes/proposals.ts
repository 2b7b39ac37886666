import { AgentId, Proposal, ProposalOutcome } from '#archive/schema.ts';
import type { ApiDeps } from '#services/api/deps.ts';
import { findProposal, findRun } from '#services/api/find.ts';
import { IdParams, PageQuery, pageOf } from '#services/api/schema.ts';
import type { Api } from '#services/api/server.ts';
import { answers, answersText, sendText, stored } from './answers.ts';

const texts = { transcript: 'transcriptBlob', patch: 'patchBlob' } as const satisfies Record<string, keyof Proposal>;

/** Shows proposals, and the texts they left. */
export function proposalRoutes(app: Api, { archive }: ApiDeps): void {
  const Query = PageQuery.extend({
    parent: AgentId.optional().describe('Only proposals to change this agent.'),
    outcome: ProposalOutcome.optional().describe('Only proposals with this outcome.'),
  });
  const list = {
    params: IdParams,
    querystring: Query,
    ...answers(pageOf(Proposal), 'The proposals of a run, in the order they began'),
  };
  app.get('/v1/runs/:id/proposals', { schema: list }, async ({ params, query }) => {
    const { parent, outcome, limit, after } = query;
    const { id } = findRun(archive, params.id);
    const page = archive.proposals.list(id, {
      ...(parent === undefined ? {} : { parent }),
      limit,
      afterOrdinal: after ?? 0,
    });
    const next = page.length < limit ? null : (page.at(-1)?.ordinal ?? null);
    return { items: page.filter((proposal) => outcome === undefined || proposal.outcome === outcome), next };
  });

  const one = { params: IdParams, ...answers(Proposal, 'A proposal: an attempt to make a child') };
  app.get('/v1/proposals/:id', { schema: one }, async ({ params }) => findProposal(archive, params.id));

  for (const [what, blob] of Object.entries(texts)) {
    const text = { params: IdParams, ...answersText(`The ${what} of a proposal`) };
    app.get(`/v1/proposals/:id/${what}`, { schema: text }, async ({ params }, reply) => {
      const proposal = findProposal(archive, params.id);
      return sendText(reply, archive.blobs.read(stored(proposal[blob], `${what} of proposal ${proposal.id}`)));
    });
  }
}
