import { describe, expect, it } from 'vitest';
import { worstCaseUusd, worstUsage } from '#services/gateway/prices.ts';
import { CALL_UUSD, CATALOG, chat, type Setup, setUp } from './builders.ts';
import { completion, json, neverAnswers, says, startProvider } from './stand-in-provider.ts';

/** What is held for a call of one short message, near enough. */
const RESERVE_UUSD = worstCaseUusd(CATALOG.cheap!, worstUsage(CATALOG.cheap!, 100, 1000));

describe('a budget', () => {
  it.each([
    ['run', { usd: 0.05 }],
    ['job', { jobUsd: 0.05 }],
  ])('of a %s is not overspent by 100 parallel calls, and is used up by them', async (_scope, budget) => {
    await using provider = await startProvider(says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl, ...budget });
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => setup.ask('/v1/chat/completions', chat(`call ${i}`))),
    );
    const statuses = answers.map((answer) => answer.status);
    const answered = statuses.filter((status) => status === 200).length;
    expect(statuses.filter((status) => status !== 200 && status !== 402)).toEqual([]);
    const { run, listed, rows, reserved } = setup.money();
    expect([run, listed, rows, reserved]).toEqual([
      answered * CALL_UUSD,
      answered * CALL_UUSD,
      answered * CALL_UUSD,
      0,
    ]);
    expect(run).toBeLessThanOrEqual(50_000);
    // Calls wait for the reserves of others; in the end no further call's worst price would have fitted.
    expect(run + RESERVE_UUSD).toBeGreaterThan(50_000 - 100);
  });

  it('that is gone is said in words, and a client does not try again', async () => {
    await using provider = await startProvider(says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl, usd: 0.001 });
    const asking = setup.client().chat.completions.create(chat('hello'));
    await expect(asking).rejects.toMatchObject({ status: 402, code: 'budget_exhausted', type: 'insufficient_quota' });
    await expect(asking).rejects.toThrow(/The run's budget of \$0\.001/);
    expect((await setup.ask('/v1/chat/completions', chat('hello'))).headers.get('x-should-retry')).toBe('false');
    expect(provider.received).toEqual([]);
  });

  it('lets a call that waits for it go when the gateway closes', async () => {
    await using provider = await startProvider(neverAnswers);
    await using setup = await setUp({ baseUrl: provider.baseUrl, usd: 0.02 });
    const first = setup.ask('/v1/chat/completions', chat('a'));
    const waiting = setup.ask('/v1/chat/completions', chat('b'));
    await provider.hasReceived(1);
    await setup.gateway[Symbol.asyncDispose]();
    expect((await first).status).toBe(502);
    expect(await (await waiting).json()).toMatchObject({ error: { code: 'shutting_down' } });
  });

  it.each([
    ['run', { usd: 0.001 }, 'budget_exhausted'],
    ['job', { jobUsd: 0.001 }, null],
  ])('of a %s that is gone is marked as no fault of the agent, if it is not', async (_scope, budget, infra) => {
    await using setup = await setUp({ baseUrl: 'http://127.0.0.1:9/v1', ...budget });
    const answer = await setup.ask('/v1/chat/completions', chat('hello'));
    expect([answer.status, answer.headers.get('x-clade-infra')]).toEqual([402, infra]);
  });

  it('holds for a call under way what the call may cost at most', async () => {
    await using provider = await startProvider(neverAnswers);
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const asking = setup.ask('/v1/chat/completions', chat('hello', { max_tokens: 100 }));
    await provider.hasReceived(1);
    const [call] = setup.archive.ledger.calls(setup.lease.jobId);
    expect(call?.state).toBe('sent');
    // Output at its price, the allowance for framing and the bytes of the body as input that is put into the cache.
    expect(call?.reservedUusd).toBeGreaterThan(100 * 10 + 1024 * 1.25);
    expect(call?.reservedUusd).toBeLessThan(100 * 10 + (1024 + 200) * 1.25);
    expect(setup.money()).toMatchObject({ run: 0, reserved: call?.reservedUusd });
    await setup.gateway[Symbol.asyncDispose]();
    expect((await asking).status).toBe(502);
    expect(setup.states()).toEqual(['ambiguous']);
  });

  it('is charged the whole reserve for an answer without usage', async () => {
    const { usage: _, ...silent } = completion({ content: 'hi' }) as { usage: unknown };
    await using provider = await startProvider(json(silent));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    expect((await setup.ask('/v1/chat/completions', chat('hello'))).status).toBe(200);
    const [call] = setup.archive.ledger.calls(setup.lease.jobId);
    expect(call).toMatchObject({ state: 'settled', spentUusd: call?.reservedUusd });
  });

  const dear = {
    ...completion({ content: 'hi' }),
    usage: { prompt_tokens: 1000, completion_tokens: 2000, total_tokens: 3000 },
  };
  const notices = ({ archive, run }: Setup) =>
    archive.events.after({ runId: run.id, seq: 0 }).flatMap(({ data }) => (data.kind === 'notice' ? [data] : []));

  it('is charged what a call cost beyond its reserve, and the operator hears of it', async () => {
    await using provider = await startProvider(json(dear));
    await using setup = await setUp({ baseUrl: provider.baseUrl, usd: 1 });
    expect((await setup.ask('/v1/chat/completions', chat('hello'))).status).toBe(200);
    expect(setup.money()).toEqual({ run: 21_000, listed: 21_000, rows: 21_000, reserved: 0 });
    expect(notices(setup)).toMatchObject([{ code: 'ledger-overrun' }]);
  });

  it('is never overdrawn, whatever the provider says', async () => {
    await using provider = await startProvider(json(dear));
    await using setup = await setUp({ baseUrl: provider.baseUrl, usd: 0.02 });
    expect((await setup.ask('/v1/chat/completions', chat('hello'))).status).toBe(200);
    expect(setup.money()).toEqual({ run: 20_000, listed: 20_000, rows: 20_000, reserved: 0 });
    expect(notices(setup)).toMatchObject([{ code: 'ledger-overrun' }]);
  });

  it('keeps the price of the day the run began', async () => {
    await using provider = await startProvider(says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const entry = CATALOG.cheap!;
    const before = entry.outputUsdPerMTok;
    try {
      entry.outputUsdPerMTok = 1000;
      await setup.ask('/v1/chat/completions', chat('hello'));
    } finally {
      entry.outputUsdPerMTok = before;
    }
    expect(setup.money().run).toBe(CALL_UUSD);
  });
});
