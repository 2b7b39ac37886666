import { describe, expect, it } from 'vitest';
import { openRelay } from '#sandbox/relay/relay.ts';
import { everyDriver } from '#test/provision/drivers.ts';
import { openSandbox, runModule, startModule } from './sandboxes.ts';

const encoder = new TextEncoder();
const never = async () => new Response('not to be asked', { status: 500 });

for (const {
  driver: { name },
  missing,
} of await everyDriver()) {
  describe.skipIf(missing !== null)(
    `the relay of a ${name} sandbox${missing === null ? '' : ` (skipped: ${missing})`}`,
    () => {
      it('carries 200 parallel requests of 20 KB and their answers', async () => {
        await using sandbox = await openSandbox(name);
        await using relay = await openRelay(sandbox, {
          forward: async (request) => new Response(await request.arrayBuffer()),
        });
        const printed = await runModule(
          sandbox,
          `const one = async (i) => {
           const body = String(i).padEnd(20_000, 'x');
           const response = await fetch(process.env.BASE + '/echo', { method: 'POST', body });
           return (await response.text()) === body;
         };
         const all = await Promise.all(Array.from({ length: 200 }, (_, i) => one(i)));
         console.log(all.filter(Boolean).length);`,
          { BASE: relay.baseUrl },
        );
        expect(printed.trim()).toBe('200');
      });

      it('hands on a streamed answer piece by piece, as it comes', async () => {
        await using sandbox = await openSandbox(name);
        const got: string[] = [];
        let acknowledged = Promise.withResolvers<void>();
        // The next piece is sent only once the sandbox has said that it got the one before.
        async function* pieces() {
          for (const piece of ['one', 'two', 'three']) {
            acknowledged = Promise.withResolvers();
            yield encoder.encode(piece);
            await acknowledged.promise;
          }
        }
        const forward = async (request: Request) => {
          if (request.url === 'http://relay/v1/stream') return new Response(ReadableStream.from(pieces()));
          got.push(await request.text());
          acknowledged.resolve();
          return new Response(null, { status: 204 });
        };
        await using relay = await openRelay(sandbox, { forward });
        await runModule(
          sandbox,
          `const response = await fetch(process.env.BASE + '/stream');
         for await (const piece of response.body) {
           await fetch(process.env.BASE + '/got', { method: 'POST', body: new TextDecoder().decode(piece) });
         }`,
          { BASE: relay.baseUrl },
        );
        expect(got).toEqual(['one', 'two', 'three']);
      });

      it('takes an answer no faster than the sandbox reads it, and lets go of it when the sandbox hangs up', async () => {
        await using sandbox = await openSandbox(name);
        let sentBytes = 0;
        let sentWhileRead = 0;
        const cancelled = Promise.withResolvers<void>();
        const aborted = Promise.withResolvers<void>();
        const endless = () =>
          new ReadableStream({
            pull(controller) {
              sentBytes += 65_536;
              controller.enqueue(new Uint8Array(65_536));
            },
            cancel: () => cancelled.resolve(),
          });
        const forward = async (request: Request) => {
          if (request.method === 'GET') {
            request.signal.addEventListener('abort', () => aborted.resolve());
            return new Response(endless());
          }
          sentWhileRead = sentBytes;
          return new Response('noted');
        };
        await using relay = await openRelay(sandbox, { forward });
        await runModule(
          sandbox,
          `const response = await fetch(process.env.BASE + '/endless');
         const reader = response.body.getReader();
         await reader.read();
         await new Promise((resolve) => setTimeout(resolve, 500));
         await fetch(process.env.BASE + '/note', { method: 'POST', body: '' });
         await reader.cancel();`,
          { BASE: relay.baseUrl },
        );
        expect(sentWhileRead).toBeGreaterThan(0);
        expect(sentWhileRead).toBeLessThan(16 * 1024 * 1024);
        await Promise.all([cancelled.promise, aborted.promise]);
      });

      it('aborts the requests under way when everything in the sandbox is killed', async () => {
        await using sandbox = await openSandbox(name);
        const asked = Promise.withResolvers<Request>();
        const forward = (request: Request) => {
          asked.resolve(request);
          return new Promise<Response>(() => {});
        };
        await using relay = await openRelay(sandbox, { forward });
        const running = startModule(sandbox, `await fetch(process.env.BASE + '/x')`, { BASE: relay.baseUrl }).catch(
          () => {},
        );
        const { signal } = await asked.promise;
        expect(signal.aborted).toBe(false);
        await sandbox.quiesce();
        await relay.closed;
        expect(signal.aborted).toBe(true);
        await running;
      });

      it('answers what it does not carry with an error in words', async () => {
        await using sandbox = await openSandbox(name);
        await using relay = await openRelay(sandbox, { forward: never, maxBodyBytes: 100_000 });
        const printed = await runModule(
          sandbox,
          `const ask = async (path, init) => {
           const response = await fetch(new URL(path, process.env.BASE), init);
           return [response.status, (await response.json()).error.code];
         };
         console.log(JSON.stringify([
           await ask('/v1/x', { method: 'DELETE' }),
           await ask('/etc/passwd'),
           await ask('/v1/x', { method: 'POST', body: 'x'.repeat(100_001) }),
         ]));`,
          { BASE: relay.baseUrl },
        );
        expect(JSON.parse(printed)).toEqual([
          [405, 'method_not_allowed'],
          [404, 'unknown_url'],
          [413, 'request_too_large'],
        ]);
      });
    },
  );
}

describe('what passes the relay', () => {
  it('is the method, the path with its query, the body and the headers that describe them, and nothing else', async () => {
    await using sandbox = await openSandbox('process');
    let seen: { url: string; method: string; headers: Record<string, string>; body: string } | undefined;
    const forward = async (request: Request) => {
      const { url, method, headers } = request;
      seen = { url, method, headers: Object.fromEntries(headers), body: await request.text() };
      return Response.json({}, { status: 418, headers: { 'x-should-retry': 'false' } });
    };
    await using relay = await openRelay(sandbox, { forward });
    const headers = {
      authorization: 'Bearer x',
      cookie: 'a=b',
      'content-type': 'application/json',
      accept: 'text/plain',
    };
    const response = await fetch(`${relay.baseUrl}/a?b=c`, { method: 'POST', body: '{"ü":1}', headers });
    expect(seen).toEqual({
      url: 'http://relay/v1/a?b=c',
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/plain' },
      body: '{"ü":1}',
    });
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([418, 'false']);
  });

  it('never looks complete when it was cut', async () => {
    await using sandbox = await openSandbox('process');
    async function* broken() {
      yield encoder.encode('the first half');
      throw new Error('cut');
    }
    await using relay = await openRelay(sandbox, { forward: async () => new Response(ReadableStream.from(broken())) });
    const response = await fetch(`${relay.baseUrl}/x`);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });

  it('is an error when the host could not answer', async () => {
    await using sandbox = await openSandbox('process');
    const forward = async () => {
      throw new Error('a detail of the host');
    };
    await using relay = await openRelay(sandbox, { forward });
    const response = await fetch(`${relay.baseUrl}/x`);
    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain('a detail of the host');
  });
});
