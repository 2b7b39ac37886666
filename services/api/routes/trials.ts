import { z } from 'zod';
import { AgentId, Trial, TrialOutcome } from '#archive/schema.ts';
import type { ApiDeps } from '#services/api/deps.ts';
import { findRun, findTrial } from '#services/api/find.ts';
import { IdParams, PageQuery, pageOf } from '#services/api/schema.ts';
import type { Api } from '#services/api/server.ts';
import { answers, answersText, sendText, stored } from './answers.ts';

const texts = {
  transcript: 'transcriptBlob',
  patch: 'patchBlob',
  'grader-log': 'graderLogBlob',
} as const satisfies Record<string, keyof Trial>;

/** Shows trials, and the texts they left. */
export function trialRoutes(app: Api, { archive }: ApiDeps): void {
  const Query = PageQuery.extend({
    agent: AgentId.optional().describe('Only trials of this agent.'),
    task: z.string().optional().describe('Only trials of this task.'),
    outcome: TrialOutcome.optional().describe('Only trials with this outcome.'),
  });
  const list = {
    params: IdParams,
    querystring: Query,
    ...answers(pageOf(Trial), 'The trials of a run, in the order they began'),
  };
  app.get('/v1/runs/:id/trials', { schema: list }, async ({ params, query }) => {
    const { outcome, after, ...filter } = query;
    const { id } = findRun(archive, params.id);
    const page = archive.trials.list(id, { ...defined(filter), limit: query.limit, afterOrdinal: after ?? 0 });
    // `next` counts what was looked at, so that a page may hold fewer trials than asked for and still not be the last.
    const next = page.length < query.limit ? null : (page.at(-1)?.ordinal ?? null);
    return { items: page.filter((trial) => outcome === undefined || trial.outcome === outcome), next };
  });

  const one = { params: IdParams, ...answers(Trial, 'A trial: one agent on one task') };
  app.get('/v1/trials/:id', { schema: one }, async ({ params }) => findTrial(archive, params.id));

  for (const [what, blob] of Object.entries(texts)) {
    const text = { params: IdParams, ...answersText(`The ${what} of a trial`) };
    app.get(`/v1/trials/:id/${what}`, { schema: text }, async ({ params }, reply) => {
      const trial = findTrial(archive, params.id);
      return sendText(reply, archive.blobs.read(stored(trial[blob], `${what} of trial ${trial.id}`)));
    });
  }
}

function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  // Only the entries with undefined are dropped, and the type drops exactly those.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
