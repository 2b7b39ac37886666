import { describe, expect, it } from 'vitest';
import { canonicalJson, checkRequest, upstreamBody } from '#services/gateway/requests.ts';
import type { CallPath } from '#services/gateway/upstream-contract.ts';
import { CATALOG, chat, setUp } from './builders.ts';

const CHAT = '/v1/chat/completions';
const RESPONSES = '/v1/responses';

function refused(path: CallPath, body: unknown) {
  const result = checkRequest(path, body);
  return 'refused' in result ? result.refused : undefined;
}

function sent(path: CallPath, body: unknown, model = 'cheap') {
  const result = checkRequest(path, body);
  if ('refused' in result) throw new Error(result.refused.message);
  return upstreamBody(result, CATALOG[model]!, CATALOG[model]!);
}

const parts = (part: object) => chat('', { messages: [{ role: 'user', content: [part] }] });
const image = { type: 'image_url', image_url: { url: 'http://169.254.169.254/' } };
const responses = (more: object) => ({ model: 'cheap', input: 'hello', ...more });

describe('a request', () => {
  it.each([
    ['an unknown field', CHAT, chat('', { audio: {} }), 'audio', 'unknown_parameter'],
    ['another base URL', CHAT, chat('', { base_url: 'http://elsewhere' }), 'base_url', 'unknown_parameter'],
    ['a dearer service', CHAT, chat('', { service_tier: 'priority' }), 'service_tier', 'invalid_value'],
    ['several choices', CHAT, chat('', { n: 2 }), 'n', 'invalid_value'],
    ['an image', CHAT, parts(image), 'messages[0].content[0].type', 'invalid_value'],
    [
      'a tool that runs at the provider',
      CHAT,
      chat('', { tools: [{ type: 'code_interpreter' }] }),
      'tools[0].type',
      'invalid_value',
    ],
    ['web search', CHAT, chat('', { web_search_options: {} }), 'web_search_options', 'unknown_parameter'],
    [
      'an unknown role',
      CHAT,
      chat('', { messages: [{ role: 'root', content: '' }] }),
      'messages[0].role',
      'invalid_value',
    ],
    ['a temperature beyond the scale', CHAT, chat('', { temperature: 3 }), 'temperature', 'invalid_value'],
    ['no messages', CHAT, { model: 'cheap', messages: [] }, 'messages', 'invalid_value'],
    ['no model', CHAT, { messages: [{ role: 'user', content: 'x' }] }, 'model', 'invalid_value'],
    ['a body that is no object', CHAT, [1], null, 'invalid_value'],
    [
      'a stored conversation',
      RESPONSES,
      responses({ previous_response_id: 'resp_1' }),
      'previous_response_id',
      'unknown_parameter',
    ],
    ['work in the background', RESPONSES, responses({ background: true }), 'background', 'invalid_value'],
    [
      'a remote tool',
      RESPONSES,
      responses({ tools: [{ type: 'mcp', server_url: 'http://x' }] }),
      'tools[0].type',
      'invalid_value',
    ],
    [
      'a file',
      RESPONSES,
      responses({ input: [{ role: 'user', content: [{ type: 'input_file', file_url: 'http://x' }] }] }),
      'input[0].content[0].type',
      'invalid_value',
    ],
  ] as const)('with %s is refused, and the refusal names the parameter', (_what, path, body, param, code) => {
    expect(refused(path, body)).toMatchObject({ type: 'invalid_request_error', param, code });
  });

  it('that is refused says what was wrong in words', () => {
    expect(refused(CHAT, parts(image))?.message).toBe(
      "Invalid value for 'messages[0].content[0].type': only text is carried, in parts of type text.",
    );
    expect(refused(CHAT, chat('', { foo: 1 }))?.message).toBe(
      "Unknown parameter: 'foo'. It is not among those this gateway carries.",
    );
  });

  it('may hold a whole conversation with tools, its answers as they came', () => {
    const signed = { google: { thought_signature: 'abc' } };
    const answer = {
      role: 'assistant',
      content: null,
      annotations: [],
      reasoning_content: 'so',
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' }, extra_content: signed }],
    };
    const messages = [
      { role: 'developer', content: 'd' },
      { role: 'user', content: [{ type: 'text', text: 'u' }] },
      answer,
      { role: 'tool', tool_call_id: 'a', content: 'r', name: 'f' },
    ];
    expect(sent(CHAT, chat('', { messages })).body.messages).toEqual(messages);
    const spoken = { role: 'assistant', content: 'hi', tool_calls: [], refusal: null, parsed: null, audio: null };
    expect(sent(CHAT, chat('', { messages: [...messages, spoken] })).body.messages).toEqual([
      ...messages,
      { role: 'assistant', content: 'hi' },
    ]);
    const input = [
      { role: 'user', content: 'u' },
      { type: 'reasoning', id: 'rs', summary: [], encrypted_content: 'x' },
      {
        type: 'message',
        role: 'assistant',
        id: 'm',
        status: 'completed',
        content: [{ type: 'output_text', text: 't', annotations: [], logprobs: [{ token: 't' }] }],
      },
      { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}', namespace: 'n' },
      { type: 'function_call_output', call_id: 'a', output: 'r' },
    ];
    expect(sent(RESPONSES, responses({ input })).body.input).toEqual([
      { type: 'message', ...input[0] },
      ...input.slice(1),
    ]);
  });
});

describe('what goes to the provider', () => {
  it.each([
    [CHAT, chat('', { metadata: { a: 'b' }, safety_identifier: 'x', service_tier: 'auto', store: true, foo: null })],
    [CHAT, chat('', { tools: null, response_format: null, stream_options: null, previous_response_id: null })],
    [RESPONSES, responses({ metadata: {}, service_tier: 'default', conversation: null, prompt: null })],
  ] as const)('leaves out what says nothing, or asks for what is not carried: %s %o', (path, body) => {
    const plain = path === CHAT ? chat('') : responses({});
    expect(sent(path, body).body).toEqual(sent(path, plain).body);
  });

  it.each([
    [CHAT, { logprobs: false, logit_bias: { 50256: -100 }, modalities: ['text'], top_logprobs: 2 }],
    [CHAT, { tools: [{ type: 'function', function: { name: 'f', description: null, parameters: null } }] }],
    [RESPONSES, { background: false, top_logprobs: 2 }],
  ] as const)('keeps what costs nothing more: %s %o', (path, more) => {
    const body = path === CHAT ? chat('', more) : responses(more);
    expect(sent(path, body).body).toMatchObject(more);
  });

  it.each([
    ['nothing', {}, 1000],
    ['less than the model may', { max_tokens: 10 }, 10],
    ['more than the model may', { max_completion_tokens: 1_000_000 }, 1000],
    ['two limits', { max_tokens: 20, max_completion_tokens: 30 }, 20],
  ])('limits the output when the client asked for %s', (_what, asked, limit) => {
    const { body, maxOutputTokens } = sent(CHAT, chat('hello', asked));
    expect([body.max_completion_tokens, body.max_tokens, maxOutputTokens]).toEqual([limit, undefined, limit]);
  });

  it('names the limit as the endpoint wants it', () => {
    const entry = { ...CATALOG.cheap!, maxTokensField: 'max_tokens' as const };
    const checked = checkRequest(CHAT, chat('hello'));
    if ('refused' in checked) throw new Error('refused');
    expect(upstreamBody(checked, entry, entry).body).toMatchObject({ max_tokens: 1000 });
  });

  it('has the name of the model at the provider and the fields of the operator', () => {
    const entry = {
      ...CATALOG.cheap!,
      params: { chat: { reasoning_effort: 'low', model: 'cannot be changed' }, responses: {} },
    };
    const checked = checkRequest(CHAT, chat('hello', { reasoning_effort: 'high', temperature: null, store: true }));
    if ('refused' in checked) throw new Error('refused');
    expect(upstreamBody(checked, entry, entry).body).toEqual({
      model: 'stand-in-small',
      messages: [{ role: 'user', content: 'hello' }],
      reasoning_effort: 'low',
      max_completion_tokens: 1000,
    });
  });

  it('has the fields of the operator for its own kind of request alone', () => {
    const params = { chat: { reasoning_effort: 'none' }, responses: { reasoning: { effort: 'low' } } };
    const checked = checkRequest(RESPONSES, responses({}));
    if ('refused' in checked) throw new Error('refused');
    const { body } = upstreamBody(checked, { ...CATALOG.cheap!, params }, CATALOG.cheap!);
    expect(body).toMatchObject({ reasoning: { effort: 'low' } });
    expect(body).not.toHaveProperty('reasoning_effort');
  });

  it('is not stored there', () => {
    expect(sent(RESPONSES, responses({ store: true })).body).toMatchObject({ store: false, max_output_tokens: 1000 });
  });

  it('is the same request in whatever order it was written', () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: 'ü' })).toBe('{"a":"ü","b":[{"c":2,"d":1}]}');
  });
});

describe('a model that the run began with and that is no longer in the catalogue', () => {
  it('is said to be missing, which is no fault of the agent', async () => {
    await using setup = await setUp();
    const answer = await setup.ask('/v1/chat/completions', { ...chat('hello'), model: 'gone' }, { models: ['gone'] });
    expect([answer.status, answer.headers.get('x-clade-infra')]).toEqual([502, 'model_not_in_catalogue']);
    expect(await answer.json()).toMatchObject({ error: { message: expect.stringMatching(/CLADE_MODELS/) } });
  });
});

describe('a path', () => {
  it.each([
    ['/v1/embeddings', { model: 'cheap', input: 'x' }],
    ['/v1/files', undefined],
    ['/v1/chat/completions', undefined],
  ])('%s that is not served is said to be unknown', async (path, body) => {
    await using setup = await setUp();
    const answer = await setup.ask(path, body);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: { type: 'invalid_request_error', code: 'unknown_url' } });
  });

  it.each(['/v1/models/strong', '/v1/models/nothing', '/v1/models/%'])(
    '%s of a model that the job may not use is not found',
    async (path) => {
      await using setup = await setUp();
      expect((await setup.ask(path)).status).toBe(404);
    },
  );
});

describe('a model', () => {
  it.each([
    ['is in the catalogue, but not for this job', 'strong'],
    ['is in no catalogue', 'nothing'],
    ['is a property of every object', 'constructor'],
  ])('that %s is not found, and the message lists those there are', async (_what, model) => {
    await using setup = await setUp();
    const answer = await setup.ask('/v1/chat/completions', { ...chat('hello'), model });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({
      error: {
        code: 'model_not_found',
        param: 'model',
        message: `The model '${model}' is not among those this job may use: cheap, rehearsal.`,
      },
    });
    expect(setup.states()).toEqual([]);
  });
});
