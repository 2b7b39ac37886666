import { expect, it } from 'vitest';
import { watchModel } from '#services/evaluator/model-watch.ts';
import { infraComment } from '#services/gateway/infra-mark.ts';

const request = (signal?: AbortSignal) => new Request('http://relay/v1/chat/completions', { signal });
const streamOf = (...pieces: string[]) =>
  new Response(ReadableStream.from(pieces.map((piece) => new TextEncoder().encode(piece))), {
    headers: { 'content-type': 'text/event-stream; charset=utf-8' },
  });
const never = new Promise<never>(() => {});

it('a model that answers is no trouble, whatever it says', async () => {
  const watch = watchModel(async () => Response.json({ error: 'bad request' }, { status: 400 }), 60_000);
  await watch.forward(request());
  expect(watch.trouble()).toBeNull();
});

it('an answer that is marked as no fault of the agent is trouble until the next answer', async () => {
  const answers = [
    Response.json({}, { status: 502, headers: { 'x-clade-infra': 'upstream_auth' } }),
    Response.json({}),
  ];
  const watch = watchModel(async () => answers.shift()!, 60_000);
  await watch.forward(request());
  expect(watch.trouble()).toBe('the model gateway answered 502 (upstream_auth)');
  await watch.forward(request());
  expect(watch.trouble()).toBeNull();
});

it('a stream that the gateway broke off is trouble, and reaches the agent as it is', async () => {
  const pieces = ['data: {"a":1}\n\n', infraComment('upstream_failed'), 'data: {"error":{}}\n\n'];
  const watch = watchModel(async () => streamOf(...pieces), 60_000);
  const response = await watch.forward(request());
  expect(await response.text()).toBe(pieces.join(''));
  expect(watch.trouble()).toBe('the model gateway broke off its answer (upstream_failed)');
});

it('a stream that only speaks of the mark is none', async () => {
  const said = JSON.stringify({ content: infraComment('upstream_failed') });
  const watch = watchModel(async () => streamOf(`data: ${said}\n\n`, 'data: [DONE]\n\n'), 60_000);
  await (await watch.forward(request())).text();
  expect(watch.trouble()).toBeNull();
});

it('a call that nothing comes of is trouble once patience is over, and not before', () => {
  const patient = watchModel(() => never, 60_000);
  void patient.forward(request());
  expect(patient.trouble()).toBeNull();
  const impatient = watchModel(() => never, 0);
  void impatient.forward(request());
  expect(impatient.trouble()).toBe('the model said nothing for 0 s');
});

it('a stream that fell silent is trouble also when the agent has hung up', async () => {
  const silent = new Response(new ReadableStream({ pull: () => never }, { highWaterMark: 0 }), {
    headers: { 'content-type': 'text/event-stream' },
  });
  const watch = watchModel(async () => silent, 0);
  const response = await watch.forward(request());
  await response.body!.cancel();
  expect(watch.trouble()).toBe('the model said nothing for 0 s');
});

it('a call that fails because the agent hung up is no trouble', async () => {
  const hungUp = new AbortController();
  const watch = watchModel(async () => {
    hungUp.abort();
    throw new Error('aborted');
  }, 60_000);
  await expect(watch.forward(request(hungUp.signal))).rejects.toThrow('aborted');
  expect(watch.trouble()).toBeNull();
});
