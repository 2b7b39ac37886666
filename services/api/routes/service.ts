import { z } from 'zod';
import type { ApiDeps } from '#services/api/deps.ts';
import { ModelView, SuiteView } from '#services/api/schema.ts';
import type { Api } from '#services/api/server.ts';
import { version } from '#services/api/version.ts';
import { answers } from './answers.ts';

/** What this service is and has: health, suites, models. */
export function serviceRoutes(app: Api, { suites, models }: ApiDeps): void {
  const Health = z.object({ status: z.literal('ok'), version: z.string() });
  app.get(
    '/v1/health',
    { config: { open: true }, schema: answers(Health, 'Whether the service is up; needs no token') },
    async () => ({
      status: 'ok' as const,
      version,
    }),
  );
  app.get('/v1/suites', { schema: answers(z.array(SuiteView), 'The suites a run can be measured on') }, () =>
    suites.list(),
  );
  app.get('/v1/models', { schema: answers(z.array(ModelView), 'The models a run can use') }, async () => [...models]);
}
