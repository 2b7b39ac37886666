import { describe, expect, it } from 'vitest';
import { openRelay } from '#sandbox/relay/relay.ts';
import type { Sandbox } from '#sandbox/sandbox.ts';
import { everyDriver } from '#test/provision/drivers.ts';
import { openSandbox, runModule } from '#test/relay/sandboxes.ts';
import { CALL_UUSD, type Setup, type SetupOptions, setUp } from './builders.ts';
import { putOpenAiPackage } from './openai-package.ts';
import {
  type Behaviour,
  chatEvents,
  completion,
  events,
  json,
  refuses,
  resetsAfter,
  says,
  startProvider,
} from './stand-in-provider.ts';

const CLIENT = `
  import OpenAI from 'openai';
  const client = new OpenAI({ apiKey: 'none', maxRetries: 0 });
  const print = (value) => console.log(JSON.stringify(value));
  const chat = (more) => client.chat.completions.create({ model: 'cheap', messages: [{ role: 'user', content: 'hello' }], ...more });
  const failure = (asking) => asking.then(() => 'no error', ({ status, code, message }) => ({ status, code, message }));
`;

const TOOL = {
  type: 'function',
  function: { name: 'bash', parameters: { type: 'object', properties: { command: { type: 'string' } } } },
};
const TOOL_CALL = { id: 'call_1', type: 'function', function: { name: 'bash', arguments: '{"command":"ls"}' } };
const RESPONSE = {
  id: 'resp_1',
  object: 'response',
  created_at: 1_700_000_000,
  status: 'completed',
  model: 'stand-in-2024',
  output: [
    {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'hi', annotations: [] }],
    },
  ],
  usage: { input_tokens: 1000, input_tokens_details: { cached_tokens: 400 }, output_tokens: 50, total_tokens: 1050 },
};

/** What the client prints in a sandbox of its own, each line parsed. */
async function printed(sandbox: Sandbox, setup: Setup, script: string): Promise<unknown[]> {
  await using relay = await openRelay(sandbox, {
    forward: (request) =>
      setup.gateway.handle({
        lease: setup.lease,
        runId: setup.run.id,
        role: 'trial',
        models: ['cheap', 'rehearsal'],
        seed: 7,
        request,
      }),
  });
  const text = await runModule(sandbox, CLIENT + script, { OPENAI_BASE_URL: relay.baseUrl });
  return text
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

for (const {
  driver: { name },
  missing,
} of await everyDriver()) {
  describe.skipIf(missing !== null)(
    `the openai package in a ${name} sandbox${missing === null ? '' : ` (skipped: ${missing})`}`,
    () => {
      const around = async (script: string, behaviours: Behaviour[], options: SetupOptions = {}) => {
        await using provider = await startProvider(...behaviours);
        await using setup = await setUp({
          baseUrl: provider.baseUrl,
          timeLimits: { totalMs: 10_000, idleMs: 10_000 },
          ...options,
        });
        await using sandbox = await openSandbox(name);
        await putOpenAiPackage(sandbox);
        const lines = await printed(sandbox, setup, script);
        return { lines, received: provider.received, money: setup.money(), states: setup.states() };
      };

      it('chats, with and without streaming', async () => {
        const { lines, received, money } = await around(
          `print((await chat()).choices[0].message.content);
         const words = [];
         for await (const chunk of await chat({ stream: true })) words.push(chunk.choices[0].delta.content ?? '');
         print(words);
         let usage;
         for await (const chunk of await chat({ stream: true, stream_options: { include_usage: true } })) usage = chunk.usage ?? usage;
         print(usage.total_tokens);`,
          [says('good day to you')],
        );
        expect(lines).toEqual(['good day to you', ['', 'good ', 'day ', 'to ', 'you', ''], 1050]);
        expect(received.map(({ authorization }) => authorization)).toEqual(Array(3).fill('Bearer test-key'));
        expect(received.map(({ body }) => [body.model, body.max_completion_tokens, body.stream ?? false])).toEqual([
          ['stand-in-small', 1000, false],
          ['stand-in-small', 1000, true],
          ['stand-in-small', 1000, true],
        ]);
        expect(money).toEqual({ run: 3 * CALL_UUSD, listed: 3 * CALL_UUSD, rows: 3 * CALL_UUSD, reserved: 0 });
      });

      it('gets tool calls and sends back what they gave', async () => {
        const { lines, received } = await around(
          `const tools = ${JSON.stringify([TOOL])};
         const { message } = (await chat({ tools })).choices[0];
         print(message.tool_calls[0].function);
         const messages = [{ role: 'user', content: 'hello' }, message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'a.txt' }];
         print((await chat({ tools, messages })).choices[0].message.content);`,
          [json(completion({ tool_calls: [TOOL_CALL] }, 'tool_calls')), says('there is a.txt')],
        );
        expect(lines).toEqual([TOOL_CALL.function, 'there is a.txt']);
        expect(received[1]?.body.messages).toMatchObject([
          { role: 'user' },
          { role: 'assistant', tool_calls: [TOOL_CALL] },
          { role: 'tool', tool_call_id: 'call_1', content: 'a.txt' },
        ]);
      });

      it('uses the Responses API, with and without streaming', async () => {
        const delta = {
          type: 'response.output_text.delta',
          item_id: 'msg_1',
          output_index: 0,
          content_index: 0,
          delta: 'hi',
          sequence_number: 1,
        };
        const { lines, received, money } = await around(
          `print((await client.responses.create({ model: 'cheap', input: 'hello' })).output_text);
         const types = [];
         for await (const event of await client.responses.create({ model: 'cheap', input: 'hello', stream: true })) types.push(event.type);
         print(types);`,
          [
            json(RESPONSE),
            events(
              JSON.stringify(delta),
              JSON.stringify({ type: 'response.completed', sequence_number: 2, response: RESPONSE }),
            ),
          ],
        );
        expect(lines).toEqual(['hi', ['response.output_text.delta', 'response.completed']]);
        expect(received.map(({ path, body }) => [path, body.store, body.max_output_tokens])).toEqual(
          Array(2).fill(['/v1/responses', false, 1000]),
        );
        expect(money).toMatchObject({ run: 2 * CALL_UUSD, reserved: 0 });
      });

      it('lists the models that the job may use', async () => {
        const { lines } = await around(
          `print((await client.models.list()).data.map(({ id }) => id)); print((await client.models.retrieve('cheap')).id);`,
          [],
        );
        expect(lines).toEqual([['cheap', 'rehearsal'], 'cheap']);
      });

      it('reads why a call failed', async () => {
        const { lines, states } = await around(
          `print(await failure(chat({ model: 'strong' })));
         print(await failure(chat({ tools: [{ type: 'web_search' }] })));
         print(await failure(chat()));
         print(await failure((async () => { for await (const _ of await chat({ stream: true })); })()));
         print(await failure(chat({ messages: [{ role: 'user', content: 'and again' }] })));`,
          [refuses(500, 'server_error'), resetsAfter(...chatEvents('one two three').slice(0, 3)), says('hi')],
          { usd: 0.03 },
        );
        expect(lines).toMatchObject([
          { status: 404, code: 'model_not_found' },
          {
            status: 400,
            code: 'invalid_value',
            message: expect.stringMatching(/'tools\[0\]\.type': only tools of type function/),
          },
          { status: 502, code: 'upstream_failed' },
          { code: 'upstream_failed' },
          { status: 402, code: 'budget_exhausted' },
        ]);
        expect(states).toEqual(['ambiguous', 'ambiguous']);
      });

      it('is not needed for a call to be settled: one that has left is paid for though the sandbox died', async () => {
        const held = Promise.withResolvers<void>();
        await using provider = await startProvider(async (response, received) => {
          await held.promise;
          await says('too late')(response, received);
        });
        await using setup = await setUp({ baseUrl: provider.baseUrl });
        const sandbox = await openSandbox(name);
        await putOpenAiPackage(sandbox);
        const running = Promise.allSettled([
          printed(sandbox, setup, `await chat();`),
          printed(sandbox, setup, `for await (const _ of await chat({ stream: true }));`),
        ]);
        await provider.hasReceived(2);
        await sandbox[Symbol.asyncDispose]();
        await running;
        expect(setup.states()).toEqual(['sent', 'sent']);
        held.resolve();
        await setup.gateway.idle();
        expect(setup.states()).toEqual(['settled', 'settled']);
        expect(setup.money()).toMatchObject({ run: 2 * CALL_UUSD, reserved: 0 });
      });
    },
  );
}
