import { z } from 'zod';
import type { ApiDeps } from '#services/api/deps.ts';
import { describeIssues } from '#services/api/issues.ts';
import type { Api } from '#services/api/server.ts';
import { CladeError } from '#services/errors.ts';
import { WorkerView } from '#services/scheduler/worker-view.ts';
import { EMBEDDED, Heartbeat, WorkerDescription } from '#services/worker/fleet.ts';
import { answers } from './answers.ts';

const verbs = {
  cordon: 'Lets it finish what it has and gives it nothing new',
  uncordon: 'Has it take jobs again; lets one in that was removed',
  drain: 'Lets it finish what it has, then has it end',
} as const;

const Params = z.object({ name: z.string().describe('Name of the worker.') });

/** Shows and steers workers; lets those elsewhere join, tell how they do, and leave. */
export function workerRoutes(app: Api, deps: ApiDeps): void {
  const { fleet } = deps;
  app.get('/v1/workers', { schema: answers(z.array(WorkerView), 'The workers, by name') }, async () => fleet.list());
  for (const verb of ['cordon', 'uncordon', 'drain'] as const) {
    const schema = { params: Params, ...answers(WorkerView, verbs[verb]) };
    // Only `remove` forgets a worker.
    app.post(`/v1/workers/:name/${verb}`, { schema }, async ({ params }) => fleet.order(params.name, verb)!);
  }
  const summary = 'Ends it and lets none of its name in; forgets one that is gone, which is answered with null';
  const schema = { params: Params, ...answers(WorkerView.nullable(), summary) };
  app.post('/v1/workers/:name/remove', { schema }, async ({ params }) => fleet.order(params.name, 'remove'));
  ownRoutes(app, deps);
}

/** What workers themselves ask. */
function ownRoutes(app: Api, { remote }: ApiDeps): void {
  if (remote === undefined) return;
  const { fleet } = remote;
  const config = { role: 'worker' } as const;

  // Of another version the rest may have another shape, and its version is what is to be said then.
  const body = z.looseObject({ name: z.string(), version: z.string(), protocol: z.int() });
  app.post('/v1/workers', { config, schema: { hide: true, body } }, async ({ body }) => {
    fleet.assertSpeaks(body);
    return fleet.join(described(body));
  });

  // Thousands of jobs, each with its id.
  const beat = { config, bodyLimit: 4 * 1024 * 1024, schema: { hide: true, params: Params, body: Heartbeat } };
  app.post('/v1/workers/:name/heartbeat', beat, async ({ params, body }) => fleet.beat(params.name, body));

  const querystring = z.object({ instance: z.string() });
  const leave = { config, schema: { hide: true, params: Params, querystring } };
  app.delete('/v1/workers/:name', leave, async ({ params, query }, reply) => {
    await fleet.leave(params.name, query.instance);
    return reply.code(204).send();
  });
}

/** @throws CladeError `invalid-request`; `worker-refused` for the name of a service's own worker. */
function described(body: { name: string }): WorkerDescription {
  if (body.name === EMBEDDED)
    throw new CladeError('worker-refused', `The name ${EMBEDDED} is a service's own. Choose another --name.`);
  const parsed = WorkerDescription.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new CladeError('invalid-request', describeIssues(parsed.error.issues, 'body'));
}
