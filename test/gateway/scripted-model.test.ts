import type { OpenAI } from 'openai';
import { describe, expect, it } from 'vitest';
import { type Setup, setUp } from './builders.ts';

type Params = OpenAI.Chat.Completions.ChatCompletionCreateParamsNonStreaming;

const TOOL_CALLS = [
  {
    id: 'call_a',
    type: 'function' as const,
    function: { name: 'bash', arguments: '{"command":"cat a-file-with-a-long-name.txt"}' },
  },
  { id: 'call_b', type: 'function' as const, function: { name: 'bash', arguments: '{"command":"ls"}' } },
];
const TEXT = 'First I look around, with 🙂 and "quotes",\nthen I act.';

/** Answers with text and two tool calls; notes what it was asked. */
function script(asked: { request: Params; seed: number }[] = []) {
  return {
    chat(request: Params, seed: number): OpenAI.Chat.Completions.ChatCompletion {
      asked.push({ request, seed });
      const message = { role: 'assistant' as const, content: TEXT, refusal: null, tool_calls: TOOL_CALLS };
      const choices = [{ index: 0, message, finish_reason: 'tool_calls' as const, logprobs: null }];
      return { id: `random-${Math.random()}`, object: 'chat.completion', created: Date.now(), model: 'any', choices };
    },
  };
}

const body = { model: 'rehearsal', messages: [{ role: 'user' as const, content: 'hello' }] };
const input: OpenAI.Responses.ResponseInput = [
  { role: 'developer', content: 'be brief' },
  { role: 'user', content: [{ type: 'input_text', text: 'hello' }] },
  { type: 'function_call', call_id: 'call_0', name: 'bash', arguments: '{}' },
  { type: 'function_call', call_id: 'call_1', name: 'bash', arguments: '{}' },
  { type: 'function_call_output', call_id: 'call_0', output: 'fine' },
];

describe('a scripted model behind the gateway', () => {
  it('streams what it says, the way the openai package puts it together again', async () => {
    await using setup = await setUp({ script: script() });
    const whole = await setup.client().chat.completions.create(body);
    const streamed = await setup.client().chat.completions.stream(body).finalChatCompletion();
    const { message, finish_reason } = streamed.choices[0]!;
    expect(finish_reason).toBe('tool_calls');
    expect(message).toMatchObject({ content: TEXT, tool_calls: TOOL_CALLS });
    expect(whole.choices[0]?.message).toMatchObject({ content: TEXT, tool_calls: TOOL_CALLS });
  });

  it('speaks the Responses API, streaming too', async () => {
    const asked: { request: Params; seed: number }[] = [];
    await using setup = await setUp({ script: script(asked) });
    const tools = [{ type: 'function' as const, name: 'bash', parameters: { type: 'object' }, strict: null }];
    const params = { model: 'rehearsal', instructions: 'help', input, tools };
    const whole = await setup.client().responses.create(params);
    const streamed = await setup.client().responses.stream(params).finalResponse();
    expect(asked[0]?.request.messages).toEqual([
      { role: 'system', content: 'help' },
      { role: 'developer', content: 'be brief' },
      { role: 'user', content: 'hello' },
      {
        role: 'assistant',
        content: null,
        tool_calls: ['call_0', 'call_1'].map((id) => ({
          id,
          type: 'function',
          function: { name: 'bash', arguments: '{}' },
        })),
      },
      { role: 'tool', tool_call_id: 'call_0', content: 'fine' },
    ]);
    expect(asked[0]?.request.tools).toEqual([
      { type: 'function', function: { name: 'bash', parameters: { type: 'object' } } },
    ]);
    for (const response of [whole, streamed]) {
      expect(response.output_text).toBe(TEXT);
      const output: readonly OpenAI.Responses.ResponseOutputItem[] = response.output;
      const calls = output.filter((item) => item.type === 'function_call');
      expect(calls.map((call) => [call.call_id, call.arguments])).toEqual(
        TOOL_CALLS.map((call) => [call.id, call.function.arguments]),
      );
    }
  });

  it('answers the same to the same request in every run, to the byte', async () => {
    const answers = async (setup: Setup) => {
      const texts: string[] = [];
      for (const stream of [false, true]) {
        texts.push(await (await setup.ask('/v1/chat/completions', { ...body, stream })).text());
        texts.push(await (await setup.ask('/v1/responses', { model: 'rehearsal', input, stream })).text());
      }
      return texts;
    };
    await using one = await setUp({ script: script() });
    await using other = await setUp({ script: script() });
    const texts = await answers(one);
    expect(await answers(other)).toEqual(texts);
    expect(new Set(texts).size).toBe(4);
  });

  it('is told the seed of the run', async () => {
    const asked: { request: Params; seed: number }[] = [];
    await using setup = await setUp({ script: script(asked), seed: 4711 });
    await setup.ask('/v1/chat/completions', body);
    expect(asked[0]?.seed).toBe(4711);
  });

  it('costs a little, so that spending shows', async () => {
    await using setup = await setUp({ script: script() });
    await setup.ask('/v1/chat/completions', body);
    const { run, listed, rows } = setup.money();
    expect(run).toBeGreaterThan(0);
    expect([listed, rows]).toEqual([run, run]);
  });

  it('refuses what does not fit its context, as providers do', async () => {
    await using setup = await setUp({ script: script() });
    const long = { ...body, messages: [{ role: 'user' as const, content: 'x'.repeat(4 * 130_000) }] };
    const asking = setup.client().chat.completions.create(long);
    await expect(asking).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
    expect(setup.states()).toEqual(['released']);
  });

  it('that breaks is a failure of ours, not of the agent', async () => {
    await using setup = await setUp({
      script: {
        chat: () => {
          throw new Error('the script has a hole');
        },
      },
    });
    const answer = await setup.ask('/v1/chat/completions', body);
    expect([answer.status, answer.headers.get('x-clade-infra')]).toEqual([502, 'upstream_failed']);
    expect(setup.states()).toEqual(['ambiguous']);
  });
});
