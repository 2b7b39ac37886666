import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Lease } from '#archive/schema.ts';
import { CALL_UUSD, chat, type Setup, setUp } from './builders.ts';
import { type Behaviour, completion, json, neverAnswers, refuses, says, startProvider } from './stand-in-provider.ts';

const path = '/v1/chat/completions';

/** Says something else each time. */
function counts(): Behaviour {
  let count = 0;
  return (response, received) => {
    count += 1;
    return says(`answer ${count}`)(response, received);
  };
}

/** Answers once it is let go, in words that never come again. */
function held(): { behaviour: Behaviour; letGo: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const counting = counts();
  return {
    behaviour: async (response, received) => {
      await promise;
      await counting(response, received);
    },
    letGo: () => resolve(),
  };
}

async function said(setup: Setup, body: object, lease?: Lease): Promise<string> {
  return (await setup.ask(path, body, { lease: lease ?? setup.lease })).text();
}

describe('a job that is done again while its calls are still under way', () => {
  it.each([false, true])(
    'waits for the reply that is being paid, and pays for no other (streaming: %s)',
    async (stream) => {
      const { behaviour, letGo } = held();
      await using provider = await startProvider(behaviour);
      await using setup = await setUp({ baseUrl: provider.baseUrl });
      const first = said(setup, chat('a', { stream }));
      await provider.hasReceived(1);
      setup.releaseAndClaim();
      const again = said(setup, chat('a', { stream }));
      letGo();
      expect(await again).toBe(await first);
      expect(provider.received).toHaveLength(1);
      expect(setup.money()).toMatchObject({ run: CALL_UUSD, reserved: 0 });
    },
  );

  it('pays itself where the call under way comes to nothing', async () => {
    const gone = Promise.withResolvers<void>();
    const failsLate: Behaviour = async (response, received) => {
      await gone.promise;
      await refuses(500, 'server_error')(response, received);
    };
    await using provider = await startProvider(failsLate, says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const first = setup.ask(path, chat('a'));
    await provider.hasReceived(1);
    setup.releaseAndClaim();
    const again = said(setup, chat('a'));
    gone.resolve();
    expect((await first).status).toBe(502);
    expect(await again).toContain('hi');
    expect(setup.states()).toEqual(['ambiguous', 'settled']);
  });

  it('does not wait for what another asks', async () => {
    await using provider = await startProvider(neverAnswers, says('hi'));
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const first = setup.ask(path, chat('a'));
    await provider.hasReceived(1);
    setup.releaseAndClaim();
    expect(await said(setup, chat('b'))).toContain('hi');
    await setup.gateway[Symbol.asyncDispose]();
    expect((await first).status).toBe(502);
  });

  it('is told that the service shuts down, when it waits for that', async () => {
    await using provider = await startProvider(neverAnswers);
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const first = setup.ask(path, chat('a'));
    await provider.hasReceived(1);
    setup.releaseAndClaim();
    const again = setup.ask(path, chat('a'));
    await setup.gateway[Symbol.asyncDispose]();
    expect((await again).status).toBe(503);
    expect((await first).status).toBe(502);
    expect(setup.states()).toEqual(['ambiguous']);
  });
});

describe('a client that was gone before its answer came', () => {
  it.each([false, true])('is served it when it asks again, once (streaming: %s)', async (stream) => {
    const { behaviour, letGo } = held();
    await using provider = await startProvider(behaviour);
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const gone = new AbortController();
    const first = setup.ask(path, chat('a', { stream }), { signal: gone.signal });
    await provider.hasReceived(1);
    gone.abort();
    const again = said(setup, chat('a', { stream }));
    letGo();
    await first;
    expect(await again).toMatch(stream ? /1/ : /answer 1/);
    expect(setup.money().run).toBe(CALL_UUSD);
    expect(await said(setup, chat('a', { stream }))).toMatch(stream ? /2/ : /answer 2/);
    expect(setup.money().run).toBe(2 * CALL_UUSD);
  });

  it('is not served what it took: to ask again is to want another', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    expect(await said(setup, chat('a'))).toContain('answer 1');
    expect(await said(setup, chat('a'))).toContain('answer 2');
  });
});

describe('a worker that lost an answer on the way', () => {
  it('gets it again under the name of its call, from a gateway that was started anew as well', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const named = async (name: string) => (await setup.ask(path, chat('a'), { name })).text();
    const first = await named('one');
    expect(await named('one')).toBe(first);
    expect(await named('two')).toContain('answer 2');
    expect(await named('one')).toBe(first);
    expect(setup.money()).toMatchObject({ run: 2 * CALL_UUSD, rows: 2 * CALL_UUSD });
  });

  it('also gets one again that was served out of the ledger, and then the next', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const named = async (name: string) => (await setup.ask(path, chat('a'), { name })).text();
    const first = [await named('one'), await named('two')];
    setup.releaseAndClaim();
    expect([await named('1'), await named('1'), await named('2'), await named('1')]).toEqual([
      ...[first[0], first[0], first[1], first[0]],
    ]);
    expect(await named('one')).toContain('answer 3');
  });
});

describe('a re-run', () => {
  it('is served in another order, each question its own answer', async () => {
    await using provider = await startProvider(echoes);
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const questions = ['a', 'b', 'c', 'd', 'a', 'b'];
    const first = await Promise.all(questions.map((content) => said(setup, chat(content))));
    setup.releaseAndClaim();
    const again = await Promise.all([...questions].reverse().map((content) => said(setup, chat(content))));
    expect([...again].sort()).toEqual([...first].sort());
    expect(provider.received).toHaveLength(questions.length);
  });

  it('pays from where its conversation first differs, since what follows holds the difference', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const converse = async (results: string[]) => {
      const messages: object[] = [{ role: 'user', content: 'task' }];
      for (const result of results) {
        const reply = JSON.parse(await said(setup, { model: 'cheap', messages }));
        messages.push(reply.choices[0].message, { role: 'user', content: result });
      }
    };
    await converse(['one', 'two', 'three', 'four']);
    setup.releaseAndClaim();
    await converse(['one', 'other', 'three', 'four']);
    const calls = setup.archive.ledger.calls(setup.lease.jobId).slice(4);
    expect(calls.map(({ replayed }) => replayed)).toEqual([true, true, false, false]);
    expect(setup.money()).toMatchObject({ run: 6 * CALL_UUSD, rows: 6 * CALL_UUSD, reserved: 0 });
  });

  it('is served although a clock has gone on and tests took another time', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const shown = (took: number) => chat(`${new Date().toISOString()}\nok 1 - adds\n  duration_ms: ${took}`);
    const first = await said(setup, shown(1.25));
    setup.releaseAndClaim();
    expect(await said(setup, shown(33.1))).toBe(first);
    expect(await said(setup, chat('due 2001-01-01T00:00:00Z'))).toContain('answer 2');
    setup.releaseAndClaim();
    expect(await said(setup, chat('due 2001-01-02T00:00:00Z'))).toContain('answer 3');
  });

  it('is served with no budget left: that was spent once', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl, jobUsd: 0.02 });
    let bought = 0;
    while ((await setup.ask(path, chat(`q${bought}`))).ok) bought += 1;
    expect(bought).toBeGreaterThan(0);
    setup.releaseAndClaim();
    for (let at = 0; at < bought; at += 1) expect((await setup.ask(path, chat(`q${at}`))).status).toBe(200);
    expect((await setup.ask(path, chat('more'))).status).toBe(402);
    expect(setup.money()).toMatchObject({ run: bought * CALL_UUSD, rows: bought * CALL_UUSD });
  });

  it('streams what was streamed, and does not stream what was not', async () => {
    await using provider = await startProvider(counts());
    await using setup = await setUp({ baseUrl: provider.baseUrl });
    const kinds = async () => {
      const answers = [await setup.ask(path, chat('a', { stream: true })), await setup.ask(path, chat('a'))];
      return Promise.all(answers.map(async (answer) => [answer.headers.get('content-type'), await answer.text()]));
    };
    const first = await kinds();
    setup.releaseAndClaim();
    expect(await kinds()).toEqual(first);
    setup.releaseAndClaim();
    const chunks = await setup.client().chat.completions.create({ ...chat('a'), stream: true });
    let text = '';
    for await (const chunk of chunks) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe('answer 1');
    expect(provider.received).toHaveLength(2);
  });

  it('whatever is asked, in any order and with any deaths, pays for each question as often as one run of it asks', async () => {
    const question = fc.constantFrom('a', 'b', 'c');
    // Of each epoch the questions, which of them are asked together, and whether the epoch dies with its last ones under way.
    const epoch = fc.array(fc.array(question, { minLength: 1, maxLength: 4 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(epoch, { minLength: 1, maxLength: 4 }), async (epochs) => {
        await using provider = await startProvider(echoes);
        await using setup = await setUp({ baseUrl: provider.baseUrl });
        const under: Promise<unknown>[] = [];
        const most = new Map<string, number>();
        for (const [at, rounds] of epochs.entries()) {
          // Long enough for calls to leave, too short for their answers.
          if (at > 0) await sleep(5);
          if (at > 0) setup.releaseAndClaim();
          const asked = rounds.flat();
          for (const one of new Set(asked))
            most.set(one, Math.max(most.get(one) ?? 0, asked.filter((other) => other === one).length));
          for (const [index, round] of rounds.entries()) {
            const { lease } = setup;
            const answers = round.map((content) => said(setup, chat(content), lease));
            if (index === rounds.length - 1) under.push(...answers);
            else
              for (const [place, text] of (await Promise.all(answers)).entries())
                expect(text).toContain(`to ${round[place]}`);
          }
        }
        await Promise.all(under);
        await setup.gateway.idle();
        const expected = [...most.values()].reduce((sum, count) => sum + count, 0);
        const { run, listed, rows, reserved } = setup.money();
        expect(provider.received.length).toBeLessThanOrEqual(expected);
        expect([run, listed, rows, reserved]).toEqual([...Array(3).fill(provider.received.length * CALL_UUSD), 0]);
      }),
      { numRuns: 25, seed: 20_260_309 },
    );
  });
});

let replies = 0;

/** Says which question it answers, in words that never come again. */
const echoes: Behaviour = async (response, received) => {
  const [message] = received.body.messages as { content: string }[];
  await sleep(20);
  replies += 1;
  return json(completion({ content: `reply ${replies} to ${message?.content}` }))(response, received);
};
