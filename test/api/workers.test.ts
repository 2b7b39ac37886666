import { expect, it } from 'vitest';
import { openJobDesk } from '#services/api/job-desk.ts';
import type { ControlClient } from '#services/worker/control-client.ts';
import { temporaryDirectory } from '#test/archive/builders.ts';
import { testService } from './service.ts';

const tokens = {
  admin: 'admin-token-of-sixteen-or-more',
  viewer: 'viewer-token-of-sixteen-or-more',
  worker: 'worker-token-of-sixteen-or-more',
};
const shared = { host: '127.0.0.1', port: 80 };

type Service = Awaited<ReturnType<typeof testService>>;
type Who = keyof typeof tokens | 'nobody' | 'a stranger';

async function code({ api }: Service, who: Who, method: 'GET' | 'POST' | 'DELETE', url: string, host = '127.0.0.1') {
  const token = who === 'a stranger' ? 'some-token-of-sixteen-or-more' : who === 'nobody' ? null : tokens[who];
  const response = await api.inject({
    ...{ method, url, payload: method === 'POST' ? {} : undefined },
    headers: { host, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
  });
  return response.statusCode;
}

/** A service with routes for workers, whose fleet knows nobody. */
async function withWorkers(access: object) {
  const nobody = async () => {
    throw new Error('not asked for in this test');
  };
  const fleet = { join: nobody, beat: nobody, leave: async () => undefined, assertSpeaks: () => undefined };
  // No job is asked about here.
  const control = {} as ControlClient;
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(temporaryDirectory()).path;
  const desk = await openJobDesk({ control, directory });
  const service = opening.use(await testService({ access: { ...shared, tokens, ...access }, remote: { desk, fleet } }));
  const parts = opening.move();
  return { ...service, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

const leaving = '/v1/workers/w1?instance=i';

it('a worker token opens the routes of workers, and no others', async () => {
  await using service = await withWorkers({});
  expect(await code(service, 'worker', 'DELETE', leaving)).toBe(204);
  expect(await code(service, 'admin', 'DELETE', leaving)).toBe(204);
  expect(await code(service, 'viewer', 'DELETE', leaving)).toBe(403);
  expect(await code(service, 'nobody', 'DELETE', leaving)).toBe(401);
  expect(await code(service, 'a stranger', 'DELETE', leaving)).toBe(401);
  for (const url of ['/v1/runs', '/v1/workers', '/openapi.json'])
    expect([url, await code(service, 'worker', 'GET', url)]).toEqual([url, 403]);
  for (const url of ['/v1/runs', '/v1/workers/w1/drain'])
    expect([url, await code(service, 'worker', 'POST', url)]).toEqual([url, 403]);
  expect(await code(service, 'viewer', 'GET', '/v1/workers')).toBe(200);
  expect(await code(service, 'viewer', 'POST', '/v1/workers/w1/drain')).toBe(403);
});

it('a worker may know the service by any name, which a page in a browser may not', async () => {
  await using service = await withWorkers({});
  expect(await code(service, 'worker', 'DELETE', leaving, 'control.internal:7777')).toBe(204);
  expect(await code(service, 'admin', 'GET', '/v1/workers', 'control.internal:7777')).toBe(421);
  await using open = await withWorkers({ tokens: {} });
  expect(await code(open, 'nobody', 'DELETE', leaving)).toBe(204);
  expect(await code(open, 'nobody', 'DELETE', leaving, 'evil.example')).toBe(421);
});

it('a worker token alone leaves people on loopback as free as without it, and lets nobody in from beyond', async () => {
  await using service = await withWorkers({ tokens: { worker: tokens.worker } });
  expect(await code(service, 'nobody', 'GET', '/v1/runs')).toBe(200);
  expect(await code(service, 'worker', 'DELETE', leaving)).toBe(204);
  expect(await code(service, 'worker', 'GET', '/v1/runs')).toBe(403);
  expect(await code(service, 'a stranger', 'DELETE', leaving)).toBe(401);
  await expect(withWorkers({ host: '0.0.0.0', tokens: { worker: tokens.worker } })).rejects.toThrow(
    /CLADE_ADMIN_TOKEN/,
  );
});

it('a fleet with the right token may ask as often as it needs; others from its address may not', async () => {
  await using service = await withWorkers({});
  for (let count = 0; count < 3_200; count += 1)
    await Promise.all([code(service, 'worker', 'DELETE', leaving), code(service, 'worker', 'DELETE', leaving)]);
  expect(await code(service, 'worker', 'DELETE', leaving)).toBe(204);
  expect(await code(service, 'viewer', 'GET', '/v1/runs')).toBe(200);
});

it('a service without a place for workers has no routes for them', async () => {
  await using service = await testService();
  expect(await code(service, 'nobody', 'POST', '/v1/workers')).toBe(405);
});
