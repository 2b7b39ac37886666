import { expect, it } from 'vitest';
import type { Lease } from '#archive/schema.ts';
import { CALL_NAME_HEADER } from '#services/gateway/gateway.ts';
import type { ControlClient } from '#services/worker/control-client.ts';
import {
  type Behaviour,
  chatEvents,
  events,
  fallsSilentAfter,
  says,
  startProvider,
} from '#test/gateway/stand-in-provider.ts';
import { openCutWire } from './cut-wire.ts';
import { aTrial, type Client, openRemoteControl, type RemoteControl } from './remote-control.ts';

it('brings each part of a streamed answer as it comes', async () => {
  const goOn = Promise.withResolvers<void>();
  const [first, ...rest] = chatEvents('one two');
  const behaviour: Behaviour = async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`data: ${first}\n\ndata: ${rest[0]}\n\n`);
    await goOn.promise;
    response.end(
      rest
        .slice(1)
        .map((data) => `data: ${data}\n\n`)
        .join(''),
    );
  };
  await using provider = await startProvider(behaviour);
  await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
  const { client, lease } = await claimed(remote);
  const { body } = await client.model(lease, 'trial', chat({ stream: true }));
  const reader = body!.getReader();
  let text = '';
  while (!text.includes('one ')) text += Buffer.from((await reader.read()).value!).toString();
  goOn.resolve();
  for (let part = await reader.read(); !part.done; part = await reader.read())
    text += Buffer.from(part.value).toString();
  expect(text).toMatch(/two.*\[DONE\]\n\n$/s);
});

it('hangs up at the gateway when the sandbox hangs up, and the call that has left is paid for', async () => {
  const answer = Promise.withResolvers<void>();
  const behaviour: Behaviour = async (response, received) => {
    await answer.promise;
    await says('Too late.')(response, received);
  };
  await using provider = await startProvider(behaviour);
  await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
  const { client, lease } = await claimed(remote);
  const gone = new AbortController();
  const asked = client.model(lease, 'trial', chat({}, gone.signal));
  await provider.hasReceived(1);
  gone.abort(new Error('the sandbox is gone'));
  await expect(asked).rejects.toThrow('the sandbox is gone');
  answer.resolve();
  await remote.gateway.idle();
  expect(remote.archive.ledger.calls(lease.jobId)).toMatchObject([{ state: 'settled', spentUusd: 1300 }]);
});

it('pays for a streamed answer that nobody reads to its end', async () => {
  await using provider = await startProvider(events(...chatEvents('one two three').flatMap((data) => [data, 20])));
  await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
  const { client, lease } = await claimed(remote);
  const { body } = await client.model(lease, 'trial', chat({ stream: true }));
  const reader = body!.getReader();
  await reader.read();
  await reader.cancel();
  await remote.gateway.idle();
  expect(remote.archive.ledger.calls(lease.jobId)).toMatchObject([{ state: 'settled', spentUusd: 1300 }]);
});

it('tells the gateway what the worker calls each call, so that a lost answer is not paid for again', async () => {
  const names: (string | null)[] = [];
  const model: ControlClient['model'] = async (_lease, _role, request) => {
    names.push(request.headers.get(CALL_NAME_HEADER));
    return Response.json({});
  };
  await using remote = await openRemoteControl({ wrap: (control) => ({ ...control, model }) });
  const { client, lease } = await claimed(remote);
  for (let call = 0; call < 2; call += 1) await (await client.model(lease, 'trial', chat({}))).text();
  expect(new Set(names).size).toBe(2);
  expect(names).not.toContain(null);
});

it('lets a call that waits for its turn know that nobody wants it any more', async () => {
  const waiting = whoeverWaits();
  await using remote = await openRemoteControl({ wrap: (control) => ({ ...control, model: waiting.model }) });
  const { client, lease } = await claimed(remote);
  const gone = new AbortController();
  const asked = client.model(lease, 'trial', chat({}, gone.signal));
  await expect.poll(() => waiting.signals.length).toBe(1);
  expect(waiting.signals[0]?.aborted).toBe(false);
  gone.abort(new Error('the sandbox is gone'));
  await expect(asked).rejects.toThrow('the sandbox is gone');
  await expect.poll(() => waiting.signals[0]?.aborted).toBe(true);
});

it('lets a call wait for a while whose connection broke, and no longer', async () => {
  const waiting = whoeverWaits();
  await using remote = await openRemoteControl({
    calls: { patienceMs: 10 },
    wrap: (control) => ({ ...control, model: waiting.model }),
  });
  await using wire = await openCutWire(remote.url);
  const client = await remote.client({ url: wire.url });
  const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
  const gone = new AbortController();
  const asked = client.model(lease, 'trial', chat({}, gone.signal));
  await expect.poll(() => waiting.signals.length).toBe(1);
  await wire.part();
  await expect.poll(() => waiting.signals[0]?.aborted).toBe(true);
  gone.abort(new Error('the sandbox is gone'));
  await expect(asked).rejects.toThrow('the sandbox is gone');
});

it('does not keep a service from ending, but for a moment', async () => {
  const waiting = whoeverWaits();
  const [first, ...more] = chatEvents('a b');
  await using provider = await startProvider(fallsSilentAfter(first!, more[0]!), says('In time.'));
  await using remote = await openRemoteControl({
    baseUrl: provider.baseUrl,
    calls: { graceMs: 10 },
    wrap: (control) => ({
      ...control,
      model: (lease, role, request) => (role === 'trial' ? control : waiting).model(lease, role, request),
    }),
  });
  const { client, lease } = await claimed(remote);
  const gone = new AbortController();
  const { body } = await client.model(lease, 'trial', chat({ stream: true }, gone.signal));
  const [streamed, waited] = [new Response(body).text(), client.model(lease, 'selfEdit', chat({}, gone.signal))];
  const all = Promise.allSettled([streamed, waited]);
  await expect.poll(() => waiting.signals.length).toBe(1);
  await remote.api.close();
  gone.abort(new Error('the sandbox is gone'));
  expect(await all).toMatchObject([{ status: 'rejected' }, { reason: { message: 'the sandbox is gone' } }]);
});

it('carries many calls of many jobs at once', async () => {
  await using provider = await startProvider(says('I do.'));
  await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
  const { client, lease } = await claimed(remote);
  const other = (await client.claim(remote.begin(aTrial(remote, 'two')), 'w'))!.lease;
  const ask = (n: number) => client.model(n % 2 ? lease : other, 'trial', chat({ stream: n % 3 === 0, seed: n }));
  const texts = await Promise.all(Array.from({ length: 60 }, async (_, n) => (await ask(n)).text()));
  expect(texts.filter((text) => text.includes('I '))).toHaveLength(60);
  expect(provider.received).toHaveLength(60);
});

async function claimed(remote: RemoteControl): Promise<{ client: Client; lease: Lease }> {
  const client = await remote.client();
  const job = await client.claim(remote.begin(aTrial(remote)), 'w');
  return { client, lease: job!.lease };
}

/** A model that nobody's turn comes at. */
function whoeverWaits() {
  const signals: AbortSignal[] = [];
  const model: ControlClient['model'] = (_lease, _role, { signal }) => {
    signals.push(signal);
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  return { signals, model };
}

function chat(more: object = {}, signal?: AbortSignal): Request {
  const body = JSON.stringify({ model: 'cheap', messages: [{ role: 'user', content: 'Well?' }], ...more });
  return new Request('http://relay/v1/chat/completions', { method: 'POST', body, signal });
}
