import { describe, expect, it } from 'vitest';
import { likenessOf } from '#services/gateway/likeness.ts';
import { canonicalJson } from '#services/gateway/requests.ts';

const nowMs = Date.UTC(2026, 2, 9, 14, 0);
const span = { fromMs: nowMs - 60_000, toMs: nowMs };
const clock = (second: number) => new Date(nowMs - 30_000 + second * 1_000).toISOString();

function alike(path: '/v1/chat/completions' | '/v1/responses', first: object, second: object): boolean {
  const [a, b] = [first, second].map((body) => canonicalJson(likenessOf({ path, body: { ...body } }, span)));
  return a === b;
}

const chat = (...messages: object[]) => ({ model: 'm', messages });
const call = { id: 'c1', type: 'function', function: { name: 'bash', arguments: '{"command":"date"}' } };

describe('two requests', () => {
  it.each([
    ['what a tool printed', (at: string) => chat({ role: 'tool', tool_call_id: 'c1', content: `now: ${at}` })],
    ['what the user said', (at: string) => chat({ role: 'user', content: [{ type: 'text', text: `now: ${at}` }] })],
    ['what the system said', (at: string) => chat({ role: 'system', content: `Today is ${at}.` })],
  ])('are alike that differ in a clock in %s', (_, request) => {
    expect(alike('/v1/chat/completions', request(clock(1)), request(clock(9)))).toBe(true);
  });

  it.each([
    [
      'the output of a function',
      (at: string) => ({ input: [{ type: 'function_call_output', call_id: 'c', output: at }] }),
    ],
    [
      'a message',
      (at: string) => ({ input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: at }] }] }),
    ],
    ['the input', (at: string) => ({ input: at })],
    ['the instructions', (at: string) => ({ input: 'hi', instructions: at })],
  ])('of the Responses API are alike that differ in a clock in %s', (_, request) => {
    expect(alike('/v1/responses', request(clock(1)), request(clock(9)))).toBe(true);
  });

  it('are alike that differ in who asks', () => {
    const asked = (who: string) => ({
      ...chat({ role: 'user', content: 'hi' }),
      user: who,
      prompt_cache_key: who,
      metadata: { session: who },
    });
    expect(alike('/v1/chat/completions', asked('a'), asked('b'))).toBe(true);
  });

  it.each([
    ['what the model said', (at: string) => chat({ role: 'assistant', content: at })],
    [
      'what the model called',
      (at: string) => chat({ role: 'assistant', content: null, tool_calls: [{ ...call, id: at }] }),
    ],
    ['which call was answered', (at: string) => chat({ role: 'tool', tool_call_id: at, content: 'x' })],
    [
      'the tools offered',
      (at: string) => ({ ...chat(), tools: [{ type: 'function', function: { name: 'f', description: at } }] }),
    ],
    ['where to stop', (at: string) => ({ ...chat(), stop: at })],
    [
      'the order of messages',
      (at: string) =>
        at === clock(1)
          ? chat({ role: 'user', content: 'a' }, { role: 'user', content: 'b' })
          : chat({ role: 'user', content: 'b' }, { role: 'user', content: 'a' }),
    ],
    ['whether it streams', (at: string) => ({ ...chat(), stream: at === clock(1) })],
    ['the warmth', (at: string) => ({ ...chat(), temperature: at === clock(1) ? 0 : 1 })],
  ])('are not alike that differ in %s', (_, request) => {
    expect(alike('/v1/chat/completions', request(clock(1)), request(clock(9)))).toBe(false);
  });

  it('of the Responses API are not alike that differ in what the model called', () => {
    const request = (at: string) => ({ input: [{ type: 'function_call', call_id: 'c', name: 'f', arguments: at }] });
    expect(alike('/v1/responses', request(clock(1)), request(clock(9)))).toBe(false);
  });
});
