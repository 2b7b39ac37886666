import type { ApiDeps } from '#services/api/deps.ts';
import type { Api } from '#services/api/server.ts';
import { answersText } from './answers.ts';

/** Says how the service does, to Prometheus. */
export function metricsRoutes(app: Api, { metrics }: ApiDeps): void {
  const schema = answersText('Figures of the service in the text format of Prometheus');
  app.get('/metrics', { schema }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  );
}
