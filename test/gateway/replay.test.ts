import { describe, expect, it } from 'vitest';
import { CALL_UUSD, chat, setUp } from './builders.ts';
import { type Behaviour, neverAnswers, refuses, says, startProvider } from './stand-in-provider.ts';

/** Says something else each time. */
function counts(): Behaviour {
  let count = 0;
  return (response, received) => {
    count += 1;
    return says(`answer ${count}`)(response, received);
  };
}

describe('a job that is done again', () => {
  it('gets the answers it had, to the byte, for nothing, streamed ones too', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const asked = [chat('a'), chat('b', { stream: true }), chat('a'), chat('b', { stream: true })];
    const inTurn = async () => {
      const texts: string[] = [];
      for (const body of asked) texts.push(await (await setup.ask('/v1/chat/completions', body)).text());
      return texts;
    };
    const first = await inTurn();
    expect(new Set(first).size).toBe(4);
    setup.releaseAndClaim();
    expect(await inTurn()).toEqual(first);
    setup.releaseAndClaim();
    expect(await inTurn()).toEqual(first);
    expect(provider.received).toHaveLength(4);
    expect(setup.money()).toEqual({ run: 4 * CALL_UUSD, listed: 4 * CALL_UUSD, rows: 4 * CALL_UUSD, reserved: 0 });
    const replayed = setup.archive.ledger.calls(setup.lease.jobId).filter((call) => call.replayed);
    expect(replayed.map((call) => call.occurrence)).toEqual([0, 0, 1, 1, 0, 0, 1, 1]);
  });

  it('pays for what it did not ask before', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    await setup.ask('/v1/chat/completions', chat('a'));
    setup.releaseAndClaim();
    await setup.ask('/v1/chat/completions', chat('a'));
    const again = await setup.ask('/v1/chat/completions', chat('a'));
    const other = await setup.ask('/v1/chat/completions', chat('a', { temperature: 1 }));
    expect(await again.text()).toContain('answer 2');
    expect(await other.text()).toContain('answer 3');
    expect(setup.money().run).toBe(3 * CALL_UUSD);
  });

  it('gets the answer whatever the order in which the request was written down', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const tools = (parameters: object) => [{ type: 'function', function: { name: 'f', parameters } }];
    const messages = [{ role: 'user', content: 'a' }];
    const written = { model: 'cheap', messages, tools: tools({ type: 'object', required: ['a'] }) };
    await setup.ask('/v1/chat/completions', written);
    setup.releaseAndClaim();
    const otherwise = { tools: tools({ required: ['a'], type: 'object' }), messages, n: null, model: 'cheap' };
    expect(await (await setup.ask('/v1/chat/completions', otherwise)).text()).toContain('answer 1');
  });

  it('gets the answer that came at last, where the first attempts came to nothing', async () => {
    await using provider = await startProvider(
      refuses(500, 'server_error'),
      refuses(429, 'rate_limit_exceeded'),
      counts(),
    );
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    expect((await setup.ask('/v1/chat/completions', chat('a'))).status).toBe(502);
    expect((await setup.ask('/v1/chat/completions', chat('a'))).status).toBe(200);
    setup.releaseAndClaim();
    expect(await (await setup.ask('/v1/chat/completions', chat('a'))).text()).toContain('answer 1');
    expect(provider.received).toHaveLength(3);
  });

  it('does not get the answers of another job', async () => {
    await using provider = await startProvider(counts());
    await using one = await setUp({ baseUrl: provider.baseUrl });
    await using other = await setUp({ baseUrl: provider.baseUrl });
    await one.ask('/v1/chat/completions', chat('a'));
    expect(await (await other.ask('/v1/chat/completions', chat('a'))).text()).toContain('answer 2');
  });
});

describe('a lease that has ended', () => {
  it('buys nothing and replays nothing', async () => {
    await using provider = await startProvider(says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const stale = setup.lease;
    await setup.ask('/v1/chat/completions', chat('a'));
    setup.releaseAndClaim();
    const answer = await setup.ask('/v1/chat/completions', chat('b'), { lease: stale });
    expect(answer.status).toBe(409);
    expect(answer.headers.get('x-should-retry')).toBe('false');
    expect(await answer.json()).toMatchObject({ error: { code: 'lease_lost' } });
    expect(provider.received).toHaveLength(1);
  });

  it('still settles the call that left before it ended', async () => {
    const held = Promise.withResolvers<void>();
    await using provider = await startProvider(async (response, received) => {
      await held.promise;
      await says('hi')(response, received);
    });
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const asking = setup.ask('/v1/chat/completions', chat('a'));
    await provider.hasReceived(1);
    setup.releaseAndClaim();
    held.resolve();
    expect((await asking).status).toBe(200);
    expect(setup.money()).toMatchObject({ run: CALL_UUSD, reserved: 0 });
    expect((await setup.ask('/v1/chat/completions', chat('a'))).status).toBe(200);
    expect(provider.received).toHaveLength(1);
  });
});

describe('a client that hangs up', () => {
  it('does not spend on a call that has not left yet', async () => {
    await using provider = await startProvider(refuses(429, 'rate_limit_exceeded', { 'retry-after': '2' }), says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const gone = new AbortController();
    const asking = setup.ask('/v1/chat/completions', chat('a'), { signal: gone.signal });
    await provider.hasReceived(1);
    setTimeout(() => gone.abort(), 100);
    expect((await asking).status).toBe(499);
    expect(provider.received).toHaveLength(1);
    expect(setup.money()).toMatchObject({ run: 0, reserved: 0 });
  });

  it.each([false, true])('pays for a call that has left (streaming: %s)', async (stream) => {
    const held = Promise.withResolvers<void>();
    await using provider = await startProvider(async (response, received) => {
      await held.promise;
      await says('hi')(response, received);
    });
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const gone = new AbortController();
    const asking = setup.ask('/v1/chat/completions', chat('a', { stream }), { signal: gone.signal });
    await provider.hasReceived(1);
    gone.abort();
    held.resolve();
    await asking;
    await setup.gateway.idle();
    expect(setup.states()).toEqual(['settled']);
    expect(setup.money().run).toBe(CALL_UUSD);
  });

  it('leaves nothing waiting when the gateway closes', async () => {
    await using provider = await startProvider(neverAnswers);
    const setup = await setUp({ baseUrl: provider.baseUrl });
    const asking = setup.ask('/v1/chat/completions', chat('a'));
    await provider.hasReceived(1);
    await setup[Symbol.asyncDispose]();
    expect((await asking).status).toBe(502);
  });
});
