import { expect, it } from 'vitest';
import { newRun, type TestService, testService, trial } from './service.ts';

/** An open event stream, read block by block. */
async function openStream(service: TestService, path: string, headers: Record<string, string> = {}) {
  const base = service.api.listeningOrigin;
  const abort = new AbortController();
  const response = await fetch(base + path, { headers, signal: abort.signal });
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  /** The next blocks until one matches; null at the end of the stream. */
  const until = async (wanted: RegExp): Promise<string | null> => {
    for (;;) {
      const at = rest.indexOf('\n\n');
      if (at >= 0) {
        const block = rest.slice(0, at);
        rest = rest.slice(at + 2);
        if (wanted.test(block)) return block;
        continue;
      }
      const { value, done } = await reader.read();
      if (done) return null;
      rest += decoder.decode(value, { stream: true });
    }
  };
  return { response, until, [Symbol.dispose]: () => abort.abort() };
}

async function listening(over: Parameters<typeof testService>[0] = {}): Promise<TestService> {
  const service = await testService({ ...over, access: { host: '127.0.0.1', port: 0, tokens: {} } });
  await service.api.listen({ host: '127.0.0.1', port: 0 });
  return service;
}

it('events come in order with their number as id, past ones first and then live', async () => {
  await using service = await listening();
  const run = await newRun(service.archive);
  using stream = await openStream(service, `/v1/runs/${run.id}/events`);
  expect(stream.response.headers.get('content-type')).toContain('text/event-stream');
  const created = await stream.until(/run-created/);
  expect(created).toMatch(/^id: \d+\nevent: run-created\ndata: \{/);
  await stream.until(/agent-joined/);
  trial(service.archive, run, { agent: `${run.id}-a1`, task: 'one', y: 1 });
  const settled = await stream.until(/trial-settled/);
  expect(JSON.parse(/^data: (.*)$/m.exec(settled!)![1]!)).toMatchObject({ runId: run.id, data: { task: 'one', y: 1 } });
});

it('a client that lost its connection resumes after Last-Event-ID and misses nothing', async () => {
  await using service = await listening();
  const run = await newRun(service.archive);
  const other = await newRun(service.archive);
  for (let count = 0; count < 700; count += 1)
    service.archive.events.notice((count % 2 ? run : other).id, 'info', 'n', `${count}`, 1);
  const all = service.archive.events.after({ runId: run.id, seq: 0 }).map(({ seq }) => seq);
  const middle = all[100]!;
  for (const [path, headers] of [
    [`/v1/runs/${run.id}/events?follow=false`, { 'last-event-id': String(middle) }],
    [`/v1/runs/${run.id}/events?follow=false&after=${middle}`, {}],
  ] as const) {
    const text = await (await fetch(service.api.listeningOrigin + path, { headers })).text();
    expect([...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual(all.slice(101));
  }
  const refused = await fetch(`${service.api.listeningOrigin}/v1/runs/${run.id}/events`, {
    headers: { 'last-event-id': 'x' },
  });
  expect(refused.status).toBe(400);
});

it('what slots do comes live, without an id, and of this run alone', async () => {
  await using service = await listening();
  const run = await newRun(service.archive);
  using stream = await openStream(service, `/v1/runs/${run.id}/events`);
  await stream.until(/agent-joined/);
  const slot = { stage: 'solving', detail: 'one', sinceMs: 1 };
  service.control.slots = [
    { ...slot, runId: run.id, jobId: `${run.id}-t1` },
    { ...slot, runId: 'r999999', jobId: 'r999999-t1' },
  ];
  for (const listener of service.control.listeners) listener();
  const block = await stream.until(/solving/);
  expect(block).toMatch(/^event: progress\ndata: /);
  expect(block).not.toContain('r999999');
});

it('an idle stream is kept open by comments', async () => {
  await using service = await listening({ heartbeatMs: 20 });
  const run = await newRun(service.archive);
  using stream = await openStream(service, `/v1/runs/${run.id}/events`);
  expect(await stream.until(/^: /)).toBe(': still here');
});

it('closing the service ends its streams, and a client that leaves is forgotten', async () => {
  const service = await listening();
  const run = await newRun(service.archive);
  const leaving = await openStream(service, `/v1/runs/${run.id}/events`);
  await leaving.until(/agent-joined/);
  using staying = await openStream(service, `/v1/runs/${run.id}/events`);
  await staying.until(/agent-joined/);
  expect(service.control.listeners.size).toBe(2);
  leaving[Symbol.dispose]();
  await expect.poll(() => service.control.listeners.size).toBe(1);
  const ended = staying.until(/never/);
  const before = Date.now();
  await service[Symbol.asyncDispose]();
  expect(await ended).toBeNull();
  expect(Date.now() - before).toBeLessThan(3_000);
});

it('a client that reads nothing makes nothing pile up here', async () => {
  await using service = await listening();
  const run = await newRun(service.archive);
  service.archive.transaction(() => {
    for (let count = 0; count < 3_000; count += 1)
      service.archive.events.notice(run.id, 'info', 'big', 'x'.repeat(10_000), 1);
  });
  const reads = { pages: 0 };
  const after = service.archive.events.after.bind(service.archive.events);
  service.archive.events.after = (given) => {
    reads.pages += 1;
    return after(given);
  };
  const abort = new AbortController();
  const response = await fetch(`${service.api.listeningOrigin}/v1/runs/${run.id}/events`, { signal: abort.signal });
  await response.body!.getReader().read();
  await new Promise((resolve) => setTimeout(resolve, 300));
  // Thirty megabytes wait in seven pages; only what fits the buffers of the connection was read.
  expect(reads.pages).toBeLessThan(6);
  abort.abort();
});
