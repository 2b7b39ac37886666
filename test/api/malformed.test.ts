import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { answerUnparsed } from '#services/api/unparsed.ts';
import { newRun, type TestService, testService } from './service.ts';

const TOKEN = 'admin-token-of-sixteen-or-more';

async function listening(over: Parameters<typeof testService>[0] = {}): Promise<TestService & { port: number }> {
  const service = await testService({ access: { host: '127.0.0.1', port: 0, tokens: {} }, ...over });
  await service.api.listen({ host: '127.0.0.1', port: 0 });
  return { ...service, port: Number(new URL(service.api.listeningOrigin).port) };
}

/** Sends bytes and reads what is answered until the connection ends. */
async function sent(port: number, bytes: string): Promise<Answer> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  return answerOf(await text(socket));
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  json: unknown;
}

function answerOf(http: string): Answer {
  const [head = '', body = ''] = http.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return { status: Number(statusLine.split(' ')[1]), headers, json: JSON.parse(body) };
}

/** A problem in our form, with the headers that every answer has. */
function expectProblem(
  { status, headers, json }: Answer,
  expected: { status: number; code: string; detail?: string },
): void {
  expect(json).toMatchObject({ type: 'about:blank', title: expected.code.replaceAll('-', ' '), ...expected });
  expect(status).toBe(expected.status);
  expect(headers['content-type']).toContain('application/problem+json');
  expect(headers).toMatchObject({
    'x-content-type-options': 'nosniff',
    'content-security-policy': expect.stringContaining("default-src 'none'"),
    'cache-control': 'no-store',
  });
}

const at = (port: number) => `Host: localhost:${port}\r\nConnection: close\r\n`;

it('a path that cannot be decoded gets a problem, and only those who may ask learn that', async () => {
  await using service = await listening();
  const { port } = service;
  const invalid = { status: 400, code: 'invalid-request', detail: expect.stringContaining('cannot be decoded') };
  for (const path of ['/v1/runs/%zz', '/v1/runs/%c3%28', '/%']) {
    expectProblem(await sent(port, `GET ${path} HTTP/1.1\r\n${at(port)}\r\n`), invalid);
  }
  const elsewhere = await sent(port, 'GET /v1/runs/%zz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  expectProblem(elsewhere, { status: 421, code: 'wrong-host' });
  await using closed = await listening({ access: { host: '127.0.0.1', port: 0, tokens: { admin: TOKEN } } });
  const stranger = await sent(closed.port, `GET /v1/runs/%zz HTTP/1.1\r\n${at(closed.port)}\r\n`);
  expectProblem(stranger, { status: 401, code: 'unauthorized' });
  const known = `GET /v1/runs/%zz HTTP/1.1\r\n${at(closed.port)}Authorization: Bearer ${TOKEN}\r\n\r\n`;
  expectProblem(await sent(closed.port, known), invalid);
});

it('an id of any length is one that is not there', async () => {
  await using service = await listening();
  const { port } = service;
  const answer = await sent(port, `GET /v1/runs/${'x'.repeat(5_000)} HTTP/1.1\r\n${at(port)}\r\n`);
  expectProblem(answer, { status: 404, code: 'not-found' });
});

it('a file of an agent is found below a long path', async () => {
  await using service = await testService();
  const run = await newRun(service.archive);
  const response = await service.api.inject(`/v1/agents/${run.id}-a1/source/${'directory/'.repeat(20)}x.ts`);
  expect(response.json()).toMatchObject({ status: 404, detail: expect.stringContaining('has no file') });
});

it('what is not HTTP gets a problem, and the end of its connection', async () => {
  await using service = await listening();
  const { port } = service;
  const invalid = { status: 400, code: 'invalid-request' };
  expectProblem(await sent(port, 'nonsense\r\n\r\n'), invalid);
  expectProblem(await sent(port, `GET /v1/runs HTTP/1.1\r\n${at(port)}Content-Length: many\r\n\r\n`), invalid);
  const long = `GET /v1/runs HTTP/1.1\r\n${at(port)}X-Long: ${'x'.repeat(20_000)}\r\n\r\n`;
  expectProblem(await sent(port, long), { status: 431, code: 'headers-too-large' });
  const well = await sent(port, `GET /v1/health HTTP/1.1\r\n${at(port)}\r\n`);
  expect(well.status).toBe(200);
});

it('a request that takes too long to arrive is told so', async () => {
  const late = Object.assign(new Error('late'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
  const server = createServer((socket) => socket.once('data', () => answerUnparsed(late, socket))).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  expectProblem(await sent(port, 'GET / HTTP/1.1\r\n'), { status: 408, code: 'too-slow' });
  server.close();
});

it('a request without a Host header is for another host', async () => {
  await using service = await listening();
  const none = await sent(service.port, 'GET /v1/runs HTTP/1.1\r\nConnection: close\r\n\r\n');
  expectProblem(none, { status: 421, code: 'wrong-host' });
});

it('a method that nothing here has gets a problem', async () => {
  await using service = await listening();
  const { port } = service;
  const answer = await sent(port, `PROPFIND /v1/nowhere HTTP/1.1\r\n${at(port)}\r\n`);
  expectProblem(answer, { status: 404, code: 'not-found' });
});

it('a body of another length than announced, and one that would change prototypes, get a problem', async () => {
  await using service = await testService();
  const post = async (payload: string, headers: Record<string, string> = {}) => {
    const all = { 'content-type': 'application/json', ...headers };
    const response = await service.api.inject({ method: 'POST', url: '/v1/runs', payload, headers: all });
    return `${response.statusCode} ${response.json().code}`;
  };
  expect(await post('{}', { 'content-length': '7' })).toBe('400 invalid-request');
  expect(await post('')).toBe('400 invalid-request');
  expect(await post('{"__proto__":{"x":1}}')).toBe('400 invalid-request');
});

it('a request that comes while the service ends is told so', async () => {
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const service = await listening({
    createRun: (archive) => async (spec) => {
      begun.resolve();
      await release.promise;
      return newRun(archive, spec);
    },
  });
  const { port } = service;
  const socket = connect(port, '127.0.0.1');
  const both = text(socket);
  const headers = `Host: localhost:${port}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n`;
  socket.write(`POST /v1/runs HTTP/1.1\r\n${headers}\r\n{}`);
  await begun.promise;
  const ended = service.api.close();
  await sleep(50);
  socket.write(`GET /v1/health HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`);
  await sleep(50);
  release.resolve();
  const second = (await both).indexOf('HTTP/1.1 503');
  expect((await both).startsWith('HTTP/1.1 201')).toBe(true);
  expectProblem(answerOf((await both).slice(second)), { status: 503, code: 'shutting-down' });
  await ended;
  await service[Symbol.asyncDispose]();
});
