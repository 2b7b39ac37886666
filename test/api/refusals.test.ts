import { describe, expect, it } from 'vitest';
import { newRun, testService } from './service.ts';

const ADMIN = 'admin-token-of-sixteen-or-more';
const VIEWER = 'viewer-token-of-sixteen-or-more';

interface Ask {
  method: 'POST' | 'DELETE';
  url: string;
  payload?: string | object;
  headers?: Record<string, string>;
}

describe('wrong requests get one clear problem', () => {
  it.each([
    [{ budget: { usd: -5 } }, 'body.budget.usd: must be more than 0'],
    [{ policy: { kind: 'magic' } }, 'body.policy.kind: must be one of hgm, dgm, greedy, uniform'],
    [{ slots: 1.5 }, 'body.slots'],
    [{ sandbox: 'none' }, 'body.sandbox: must be one of auto, docker, bubblewrap, process'],
    [{ budgte: {} }, 'body: does not know "budgte"'],
    [[], 'body: '],
  ])('%j', async (payload, detail) => {
    await using service = await testService();
    const response = await service.api.inject({ method: 'POST', url: '/v1/runs', payload });
    expect(response.statusCode).toBe(400);
    expect(response.headers['content-type']).toContain('application/problem+json');
    expect(response.json()).toMatchObject({
      type: 'about:blank',
      title: 'invalid request',
      status: 400,
      code: 'invalid-request',
    });
    expect(response.json().detail).toContain(detail);
    expect(response.body).not.toContain('at ');
    expect(service.archive.runs.list()).toEqual([]);
  });

  it('a model without its key is refused before the run begins', async () => {
    await using service = await testService();
    const response = await service.api.inject({
      method: 'POST',
      url: '/v1/runs',
      payload: { models: { trial: 'strong' } },
    });
    expect(response.json()).toMatchObject({ status: 422, code: 'model-not-ready' });
    expect(response.json().detail).toContain('STRONG_KEY');
  });

  it('unknown ids, paths and bodies', async () => {
    await using service = await testService();
    const run = await newRun(service.archive);
    const code = async (request: string | Ask) => {
      const response = await service.api.inject(request);
      return `${response.statusCode} ${response.json().code}`;
    };
    expect(await code('/v1/runs/r000000')).toBe('404 not-found');
    expect(await code('/v1/runs/nonsense')).toBe('404 not-found');
    expect(await code(`/v1/agents/${run.id}-a99`)).toBe('404 not-found');
    expect(await code(`/v1/trials/${run.id}-t1/transcript`)).toBe('404 not-found');
    expect(await code('/v1/nowhere')).toBe('404 not-found');
    expect(await code(`/v1/runs/${'x'.repeat(500)}`)).toBe('404 not-found');
    expect(await code('/v1/runs/%zz')).toBe('400 invalid-request');
    expect(await code('/v1/%c3%28')).toBe('400 invalid-request');
    expect(await code(`/v1/runs/${run.id}/trials?limit=0`)).toBe('400 invalid-request');
    const headers = { 'content-type': 'application/json' };
    expect(await code({ method: 'POST', url: '/v1/runs', payload: '{"a":', headers })).toBe('400 invalid-request');
    expect(await code({ method: 'POST', url: '/v1/runs' })).toBe('400 invalid-request');
    expect(
      await code({ method: 'POST', url: '/v1/runs', payload: 'a=1', headers: { 'content-type': 'text/plain' } }),
    ).toBe('415 not-json');
    expect(await code({ method: 'POST', url: '/v1/runs', payload: { name: 'x'.repeat(300_000) } })).toBe(
      '413 too-large',
    );
  });

  it('a known path asked for by another method says which it has', async () => {
    await using service = await testService();
    const ask = async (method: 'DELETE' | 'GET' | 'OPTIONS', url: string) => {
      const response = await service.api.inject({ method, url, ...(method === 'GET' ? {} : { payload: 'x' }) });
      return `${response.statusCode} ${response.json().code}, allow: ${response.headers.allow}`;
    };
    expect(await ask('DELETE', '/v1/runs/r000000')).toBe('405 wrong-method, allow: GET, HEAD');
    expect(await ask('DELETE', '/v1/runs')).toBe('405 wrong-method, allow: GET, HEAD, POST');
    expect(await ask('GET', '/v1/runs/r000000/pause')).toBe('405 wrong-method, allow: POST');
    expect(await ask('OPTIONS', '/v1/agents/r000000-a1/source/a/b')).toBe('405 wrong-method, allow: GET, HEAD');
    expect(await ask('DELETE', '/v1/nowhere')).toBe('404 not-found, allow: undefined');
    const document = (await service.api.inject('/openapi.json')).json();
    expect(Object.keys(document.paths['/v1/runs/{id}'])).toEqual(['get']);
  });

  it('a fault of ours says nothing of itself', async () => {
    await using service = await testService();
    const run = await newRun(service.archive);
    service.control.figures = () => {
      throw new TypeError('secret path /etc/x');
    };
    const response = await service.api.inject(`/v1/runs/${run.id}`);
    expect(response.json()).toMatchObject({ status: 500, code: 'internal' });
    expect(response.body).not.toContain('secret');
  });
});

describe('who may ask', () => {
  it('an address beyond loopback needs a token', async () => {
    await expect(testService({ access: { host: '0.0.0.0', port: 7777, tokens: {} } })).rejects.toThrow(
      /CLADE_ADMIN_TOKEN/,
    );
  });

  it('tokens give roles, and a viewer changes nothing', async () => {
    await using service = await testService({
      access: { host: '127.0.0.1', port: 80, tokens: { admin: ADMIN, viewer: VIEWER } },
    });
    const status = async (method: 'GET' | 'POST', url: string, token?: string) =>
      (
        await service.api.inject({
          method,
          url,
          ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
          ...(method === 'POST' ? { payload: {} } : {}),
        })
      ).statusCode;
    expect(await status('GET', '/v1/health')).toBe(200);
    expect(await status('GET', '/v1/runs')).toBe(401);
    expect(await status('GET', '/openapi.json')).toBe(401);
    expect(await status('GET', '/v1/nowhere')).toBe(401);
    expect(await status('GET', '/v1/runs', `${VIEWER}x`)).toBe(401);
    expect(await status('GET', '/v1/runs', VIEWER)).toBe(200);
    expect(await status('POST', '/v1/runs', VIEWER)).toBe(403);
    expect(await status('POST', '/v1/runs', ADMIN)).toBe(201);
  });

  it('other Host headers are not answered, and pages of other sites change nothing', async () => {
    await using service = await testService({
      access: { host: '127.0.0.1', port: 7777, tokens: {}, allowedHosts: ['clade.example:8443'] },
    });
    const ask = async (headers: Record<string, string>, method: 'GET' | 'POST' = 'GET') => {
      const response = await service.api.inject({
        method,
        url: '/v1/runs',
        headers,
        ...(method === 'POST' ? { payload: {} } : {}),
      });
      return response.statusCode;
    };
    expect(await ask({ host: 'localhost:7777' })).toBe(200);
    expect(await ask({ host: '127.0.0.1:7777' })).toBe(200);
    expect(await ask({ host: 'clade.example:8443' })).toBe(200);
    expect(await ask({ host: 'evil.example:7777' })).toBe(421);
    expect(await ask({ host: 'localhost:7778' })).toBe(421);
    expect(await ask({ host: 'localhost:7777.evil.example' })).toBe(421);
    expect(await ask({ host: 'localhost:7777', origin: 'https://evil.example' }, 'POST')).toBe(403);
    expect(await ask({ host: 'localhost:7777', origin: 'null' }, 'POST')).toBe(403);
    expect(await ask({ host: 'localhost:7777', origin: 'http://localhost:7777' }, 'POST')).toBe(201);
  });
});
