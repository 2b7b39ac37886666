import { APIError } from 'openai';
import { describe, expect, it } from 'vitest';
import { CALL_UUSD, chat, type Setup, setUp } from './builders.ts';
import {
  chatEvents,
  events,
  fallsSilentAfter,
  neverAnswers,
  raw,
  refuses,
  resets,
  resetsAfter,
  says,
  startProvider,
} from './stand-in-provider.ts';

/** Each limit is near only for the provider that is to run into it: the others must not, however slow the machine. */
const patient = { totalMs: 60_000, idleMs: 60_000 };
const noAnswer = { totalMs: 400, idleMs: 60_000 };
const noMore = { totalMs: 60_000, idleMs: 500 };

async function errorOf(asking: Promise<unknown>): Promise<APIError> {
  const error = await asking.then(
    (answer) => new Error(`answered ${JSON.stringify(answer)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof APIError)) throw error;
  return error;
}

const ask = ({ client }: Setup, more: object = {}) => client().chat.completions.create(chat('hello', more));

async function readAll({ client }: Setup): Promise<string> {
  const stream = await client().chat.completions.create({ ...chat('hello'), stream: true });
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  return text;
}

describe('a provider that refuses for now (429)', () => {
  it('is asked again after a while, and only the answered call costs', async () => {
    await using provider = await startProvider(
      refuses(429, 'rate_limit_exceeded'),
      refuses(429, 'rate_limit_exceeded'),
      says('hi'),
    );
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    expect((await ask(setup)).choices[0]?.message.content).toBe('hi');
    expect(setup.states()).toEqual(['released', 'released', 'settled']);
    expect(setup.money()).toEqual({ run: CALL_UUSD, listed: CALL_UUSD, rows: CALL_UUSD, reserved: 0 });
  });

  it('is given the time it asks for', async () => {
    await using provider = await startProvider(refuses(429, 'rate_limit_exceeded', { 'retry-after': '1' }), says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const startMs = performance.now();
    await ask(setup);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(1000);
  });

  it('is not waited for when it asks for too long; the client is told, and nothing is spent', async () => {
    await using provider = await startProvider(refuses(429, 'rate_limit_exceeded', { 'retry-after': '3600' }));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const error = await errorOf(ask(setup));
    expect([error.status, error.code]).toEqual([429, 'rate_limit_exceeded']);
    expect(error.message).toContain('refused as rate_limit_exceeded');
    expect(error.headers?.get('x-should-retry')).toBe('false');
    expect(error.headers?.get('retry-after')).toBe('3600');
    expect(provider.received).toHaveLength(1);
    expect(setup.money()).toMatchObject({ run: 0, reserved: 0 });
  });

  it('is asked a bounded number of times', async () => {
    await using provider = await startProvider(refuses(429, 'rate_limit_exceeded'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    expect((await errorOf(ask(setup))).status).toBe(429);
    expect(provider.received).toHaveLength(4);
  });

  it('is not asked again when the account is out of credit', async () => {
    await using provider = await startProvider(refuses(429, 'insufficient_quota'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const error = await errorOf(ask(setup));
    expect([error.status, error.code, error.headers?.get('x-clade-infra')]).toEqual([
      429,
      'insufficient_quota',
      'insufficient_quota',
    ]);
    expect(provider.received).toHaveLength(1);
  });
});

describe('a provider that is overloaded (503)', () => {
  it('is asked again, and only the answered call costs', async () => {
    await using provider = await startProvider(refuses(503, 'overloaded'), refuses(529, 'overloaded'), says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    expect((await ask(setup)).choices[0]?.message.content).toBe('hi');
    expect(setup.states()).toEqual(['released', 'released', 'settled']);
    expect(setup.money()).toEqual({ run: CALL_UUSD, listed: CALL_UUSD, rows: CALL_UUSD, reserved: 0 });
  });

  it('for too long is said to be, and costs nothing', async () => {
    await using provider = await startProvider(refuses(503, 'overloaded'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const error = await errorOf(ask(setup));
    expect([error.status, error.code, error.headers?.get('x-clade-infra')]).toEqual([503, 'overloaded', 'overloaded']);
    expect(provider.received).toHaveLength(4);
    expect(setup.money()).toMatchObject({ run: 0, reserved: 0 });
  });
});

describe('a provider that refuses for good', () => {
  it.each([
    ['the request', 400, 'context_length_exceeded', [400, 'context_length_exceeded', null]],
    ['the key', 401, 'invalid_api_key', [502, 'upstream_auth', 'upstream_auth']],
    ['access', 403, 'forbidden', [502, 'upstream_auth', 'upstream_auth']],
    ['the model', 404, 'model_not_found', [502, 'upstream_not_found', 'upstream_not_found']],
  ])('of %s is asked once, costs nothing, and the client reads why', async (_what, status, code, expected) => {
    await using provider = await startProvider(refuses(status, code));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const error = await errorOf(ask(setup));
    expect([error.status, error.code, error.headers?.get('x-clade-infra') ?? null]).toEqual(expected);
    expect(error.message).not.toContain('test-key');
    expect(provider.received).toHaveLength(1);
    expect(setup.states()).toEqual(['released']);
    expect(setup.money()).toMatchObject({ run: 0, reserved: 0 });
  });

  it('of a path that the client chose is told to the client as it is', async () => {
    await using provider = await startProvider(refuses(404, 'unknown_url'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const error = await errorOf(setup.client().responses.create({ model: 'cheap', input: 'hello' }));
    expect([error.status, error.code, error.headers?.get('x-clade-infra')]).toEqual([404, 'unknown_url', null]);
  });

  it.each([
    ['that is no URL', 'localhost', 'upstream_not_configured', /OPENAI_BASE_URL.*no URL/],
    ['without a scheme', 'localhost:8080/v1', 'upstream_not_configured', /neither http:\/\/ nor https:\/\//],
    ['with a password', 'http://me:secret@localhost/v1', 'upstream_not_configured', /credentials/],
    ['of a port that fetch does not open', 'http://127.0.0.1:6000/v1', 'upstream_unreachable', /bad port/],
    ['of a plain server, called with TLS', 'https', 'upstream_unreachable', /SSL|EPROTO|wrong version/i],
  ])('because of a base URL %s costs nothing, and the client reads why', async (_what, url, code, message) => {
    await using provider = await startProvider(says('hi'));
    const baseUrl = url === 'https' ? provider.baseUrl.replace('http:', 'https:') : url;
    await using setup = await setUp({ baseUrl });
    const error = await errorOf(ask(setup));
    expect([error.code, error.headers?.get('x-clade-infra')]).toEqual([code, code]);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('secret');
    expect(setup.money()).toMatchObject({ run: 0, reserved: 0 });
  });

  it('to be reached is tried again and then named', async () => {
    const provider = await startProvider();
    await provider[Symbol.asyncDispose]();
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const error = await errorOf(ask(setup));
    expect([error.status, error.code]).toEqual([502, 'upstream_unreachable']);
    expect(error.message).toContain('OPENAI_BASE_URL');
    expect(setup.states()).toEqual(['released', 'released', 'released', 'released']);
  });
});

describe('a provider that is slow', () => {
  it('is waited for as long as something comes now and then', async () => {
    const pieces = chatEvents('one two three').flatMap((piece) => [400, piece]);
    await using provider = await startProvider(events(...pieces));
    await using setup = await setUp({ baseUrl: provider.baseUrl, timeLimits: { totalMs: 60_000, idleMs: 2_000 } });
    expect(await readAll(setup)).toBe('one two three');
    expect(setup.money().run).toBe(CALL_UUSD);
  });
});

describe('a provider of which nobody knows whether it did the work', () => {
  it.each([
    ['answers 500', refuses(500, 'server_error'), 502, 'upstream_failed'],
    ['resets the connection', resets, 502, 'upstream_failed'],
    ['never answers', neverAnswers, 504, 'upstream_timeout'],
    ['answers what is not JSON', raw('{"choices": [{"mess'), 502, 'upstream_failed'],
    ['answers other JSON', raw('{"ok":true}'), 502, 'upstream_failed'],
  ])(
    'because it %s: is asked once, the reserve is charged, and the client reads why',
    async (_what, behaviour, status, code) => {
      await using provider = await startProvider(behaviour);
      const timeLimits = code === 'upstream_timeout' ? noAnswer : patient;
      await using setup = await setUp({ baseUrl: provider.baseUrl, timeLimits });
      const error = await errorOf(ask(setup));
      expect([error.status, error.code, error.headers?.get('x-clade-infra')]).toEqual([status, code, code]);
      expect(error.message).toMatch(/leaves it open whether the call is billed: .+/);
      expect(error.headers?.get('x-should-retry')).toBe('false');
      expect(provider.received).toHaveLength(1);
      expect(setup.states()).toEqual(['ambiguous']);
      const [call] = setup.archive.ledger.calls(setup.lease.jobId);
      const charged = call?.reservedUusd ?? 0;
      expect(charged).toBeGreaterThan(10_000);
      expect(setup.money()).toEqual({ run: charged, listed: charged, rows: charged, reserved: 0 });
    },
  );

  it.each([
    ['resets the connection', resetsAfter(...chatEvents('one two three').slice(0, 3)), 'upstream_failed'],
    ['falls silent', fallsSilentAfter(...chatEvents('one two three').slice(0, 3)), 'upstream_timeout'],
    ['ends too early', events(...chatEvents('one two three').slice(0, 3)), 'upstream_failed'],
    ['sends what is not JSON', events(...chatEvents('one two three').slice(0, 3), '{"choi'), 'upstream_failed'],
    [
      'says it failed',
      events(...chatEvents('one two three').slice(0, 3), '{"error":{"message":"overloaded"}}'),
      'upstream_failed',
    ],
  ])(
    'because it %s in mid-stream: what came is handed on, then the error, and the reserve is charged',
    async (_what, behaviour, code) => {
      await using provider = await startProvider(behaviour);
      const timeLimits = code === 'upstream_timeout' ? noMore : patient;
      await using setup = await setUp({ baseUrl: provider.baseUrl, timeLimits });
      const stream = await setup.client().chat.completions.create({ ...chat('hello'), stream: true });
      const words: string[] = [];
      const reading = (async () => {
        for await (const chunk of stream) words.push(chunk.choices[0]?.delta.content ?? '');
      })();
      expect((await errorOf(reading)).code).toBe(code);
      expect(words.join('')).toBe('one two ');
      expect(setup.states()).toEqual(['ambiguous']);
      expect(setup.money().reserved).toBe(0);
    },
  );

  it.each([
    ['JSON instead of a stream', raw('{"choices":[]}')],
    ['an empty stream', raw('', 'text/event-stream')],
    ['a stream that is reset before its first event', resetsAfter()],
  ])('because it sends %s: the client gets a plain error', async (_what, behaviour) => {
    await using provider = await startProvider(behaviour);
    await using setup = await setUp({ baseUrl: provider.baseUrl, timeLimits: patient });
    const error = await errorOf(readAll(setup));
    expect([error.status, error.code]).toEqual([502, 'upstream_failed']);
    expect(setup.states()).toEqual(['ambiguous']);
  });
});
