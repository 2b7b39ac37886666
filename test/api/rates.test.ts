import { expect, it } from 'vitest';
import { type TestService, testService } from './service.ts';

const ADMIN = 'admin-token-of-sixteen-or-more';
const VIEWER = 'viewer-token-of-sixteen-or-more';

function guarded(): Promise<TestService> {
  return testService({ access: { host: '127.0.0.1', port: 80, tokens: { admin: ADMIN, viewer: VIEWER } } });
}

/** Asks for the runs from an address: with a token, or without one. */
function ask({ api }: TestService, remoteAddress: string, token?: string) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return api.inject({ url: '/v1/runs', remoteAddress, headers });
}

/** What so many requests one after the other were answered. */
async function statuses(count: number, one: () => ReturnType<typeof ask>): Promise<number[]> {
  const seen: number[] = [];
  for (let index = 0; index < count; index += 1) seen.push((await one()).statusCode);
  return seen;
}

it('an address that sends wrong tokens is not listened to after sixty of them', async () => {
  await using service = await guarded();
  const guesses = await statuses(60, () => ask(service, '10.0.0.1', 'a-guess-of-sixteen-or-more'));
  expect(new Set(guesses)).toEqual(new Set([401]));
  const refused = await ask(service, '10.0.0.1', 'a-guess-of-sixteen-or-more');
  expect(refused.json()).toMatchObject({ status: 429, code: 'rate-limited' });
  expect(refused.headers['content-type']).toContain('application/problem+json');
  expect(refused.headers['x-content-type-options']).toBe('nosniff');
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  // A right guess is answered no better than a wrong one, else guessing would go on.
  expect((await ask(service, '10.0.0.1', ADMIN)).statusCode).toBe(429);
  expect((await ask(service, '10.0.0.2', ADMIN)).statusCode).toBe(200);
});

it('guesses that come all at once do not slip past the count', async () => {
  await using service = await guarded();
  const guess = (index: number) => ask(service, '10.0.0.1', index === 99 ? ADMIN : 'a-guess-of-sixteen-or-more');
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => guess(index)));
  expect(answers.filter(({ statusCode }) => statusCode !== 429).length).toBeLessThanOrEqual(60);
  expect(answers.at(-1)?.statusCode).toBe(429);
});

it('guesses at paths that are not there count as well', async () => {
  await using service = await guarded();
  const guess = (url: string) => {
    const headers = { authorization: 'Bearer a-guess-of-sixteen-or-more' };
    return service.api.inject({ url, remoteAddress: '10.0.0.1', headers });
  };
  for (let count = 0; count < 30; count += 1) await Promise.all([guess('/v1/nowhere'), guess('/v1/runs/%zz')]);
  expect((await ask(service, '10.0.0.1', 'another-guess-of-sixteen')).statusCode).toBe(429);
});

it('an honest client is not limited by what it does or by guesses beside it', async () => {
  await using service = await guarded();
  expect(new Set(await statuses(200, () => ask(service, '10.0.0.1', VIEWER)))).toEqual(new Set([200]));
  const guesses = await statuses(80, () => ask(service, '10.0.0.1', 'a-guess-of-sixteen-or-more'));
  expect(guesses.at(-1)).toBe(429);
  expect(new Set(await statuses(10, () => ask(service, '10.0.0.1', VIEWER)))).toEqual(new Set([200]));
});

it('requests without a token are no guesses', async () => {
  await using service = await guarded();
  expect(new Set(await statuses(100, () => ask(service, '10.0.0.1')))).toEqual(new Set([401]));
  expect((await ask(service, '10.0.0.1', ADMIN)).statusCode).toBe(200);
});

it('a client that has run wild is told when to come back, whatever it asks', async () => {
  await using service = await guarded();
  const health = () => service.api.inject({ url: '/v1/health', remoteAddress: '10.0.0.1' });
  for (let count = 0; count < 3_000; count += 1) await Promise.all([health(), ask(service, '10.0.0.1')]);
  const refused = await health();
  expect(refused.json()).toMatchObject({ status: 429, code: 'rate-limited' });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
});
