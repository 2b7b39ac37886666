import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { shorten } from './context.ts';
import { work } from './loop.ts';
import { createChat, type Message } from './model.ts';
import { systemPrompt, taskPrompt } from './prompt.ts';
import { Shell } from './shell.ts';
import { createTools, type Tool } from './tools.ts';

type Answer = (response: ServerResponse, request: { messages: Message[] }) => void;

const replies =
  (message: object, finish_reason = 'stop'): Answer =>
  (response) => {
    response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', ...message }, finish_reason }] }));
  };
const says = (content: string) => replies({ content });
const called = (name: string, args: unknown) => ({
  id: 'c1',
  type: 'function',
  function: { name, arguments: JSON.stringify(args) },
});
const calls = (name: string, args: unknown) => replies({ content: null, tool_calls: [called(name, args)] });
const fails =
  (status: number, body = '{}', headers = {}): Answer =>
  (response) => {
    response.writeHead(status, headers).end(body);
  };

const echo: Tool = {
  name: 'echo',
  description: 'Says it again.',
  parameters: { text: { type: 'string', description: 'What to say.' } },
  required: ['text'],
  run: (args) => String(args.text).repeat(Number(args.times ?? 1)),
};

/** Works on a task with a model that gives these answers in turn, the last one for ever. */
async function play(answers: Answer[], limits: { maxSteps?: number; leftMs?: number; contextChars?: number } = {}) {
  const requests: { messages: Message[] }[] = [];
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    const body = JSON.parse(Buffer.concat(chunks).toString());
    requests.push(body);
    answers[Math.min(requests.length, answers.length) - 1]?.(response, body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { maxSteps = 10, leftMs = 5_000, contextChars = 50_000 } = limits;
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const messages: Message[] = [{ role: 'user', content: 'Do it.' }];
  const chat = createChat({ baseUrl, model: 'm', apiKey: 'none', leftMs: () => leftMs, pauseMs: 1 });
  const job = { chat, tools: [echo], messages, maxSteps, contextChars, leftMs: () => leftMs, log: () => {} };
  try {
    return { ended: await work(job), messages, requests };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const results = (messages: Message[]) => messages.filter(({ role }) => role === 'tool').map(({ content }) => content);

test('calls are carried out and their results go back, until the model answers without one', async () => {
  const { ended, messages, requests } = await play([calls('echo', { text: 'hi' }), says('Done.')]);
  assert.equal(ended, 'answered');
  assert.deepEqual(results(messages), ['hi']);
  assert.equal(requests[1]?.messages.find(({ role }) => role === 'tool')?.tool_call_id, 'c1');
});

test('a call that cannot be carried out is answered with the reason', async () => {
  const { messages } = await play([calls('dance', {}), says('Done.')]);
  assert.match(results(messages)[0] ?? '', /^error: no tool "dance"; there are echo/);
});

test('the work stops at the step limit and at the deadline', async () => {
  assert.equal((await play([calls('echo', { text: 'on and on' })], { maxSteps: 3 })).ended, 'step-limit');
  assert.equal((await play([says('never asked')], { leftMs: 0 })).ended, 'deadline');
});

test('what may pass is tried again: limits, server errors, broken connections and answers', async () => {
  const drop: Answer = (response) => response.destroy();
  const garbage: Answer = (response) => response.end('<html>');
  const { ended, messages } = await play([
    fails(429, '{}', { 'retry-after': '0.001' }),
    fails(500),
    drop,
    garbage,
    calls('echo', { text: 'hi' }),
    says('Done.'),
  ]);
  assert.equal(ended, 'answered');
  assert.deepEqual(results(messages), ['hi']);
});

test('what will not pass is not tried again', async () => {
  await assert.rejects(play([fails(401), says('Done.')]), /401/);
  await assert.rejects(play([fails(402, '{}', { 'x-should-retry': 'false' }), says('Done.')]), /402/);
  await assert.rejects(play([fails(500)]), /500/);
});

test('an answer that was cut is not taken for the last: the model is told to go on', async () => {
  const cut = (content: string | null) => replies({ content }, 'length');
  const { ended, messages, requests } = await play([
    cut('First I'),
    cut(null),
    calls('echo', { text: 'hi' }),
    says('Done.'),
  ]);
  assert.equal(ended, 'answered');
  assert.deepEqual(results(messages), ['hi']);
  const [, said, told, silent] = requests[2]?.messages ?? [];
  assert.equal(said?.content, 'First I');
  assert.ok(told?.role === 'user' && told.content?.includes('cut'), `${told?.content}`);
  assert.ok(silent?.role === 'assistant' && silent.content);
  assert.equal((await play([cut('On and on')], { maxSteps: 3 })).ended, 'step-limit');
});

test('what a provider wants to see again goes back as it came, and nothing else does', async () => {
  const call = { ...called('echo', { text: 'hi' }), extra_content: { google: { thought_signature: 'a1' } } };
  const kept = { content: null, tool_calls: [call], reasoning_content: '', reasoning_details: [{ data: 'b2' }] };
  const { requests } = await play([replies({ ...kept, refusal: null, annotations: [] }), says('Done.')]);
  assert.deepEqual(requests[1]?.messages[1], { role: 'assistant', ...kept });
});

const long = calls('echo', { text: 'x', times: 1_500 });
const longTalk = [long, long, long, long, long, long];
const lengths = (messages: Message[] = []) => results(messages).map((content) => content?.length ?? 0);

test('a conversation that is too long is shortened from its oldest results on, and never sent again unchanged', async () => {
  const tooLong: Answer = (response, { messages }) =>
    JSON.stringify(messages).length > 9_000
      ? fails(400, '{"error":{"code":"context_length_exceeded"}}')(response, { messages })
      : says('Done.')(response, { messages });
  const { requests } = await play([...longTalk, tooLong]);
  const sizes = lengths(requests.at(-1)?.messages);
  assert.ok((sizes[0] ?? 0) < 300 && sizes.at(-1) === 1_500, `${sizes}`);
  assert.equal(new Set(requests.map((request) => JSON.stringify(request))).size, requests.length);
});

test('a conversation that is too long is known by the words of many providers', async () => {
  const answers: [number, string][] = [
    [400, "This model's maximum context length is 128000 tokens."],
    [400, 'Your input exceeds the context window of this model.'],
    [400, 'prompt is too long: 210000 tokens > 200000 maximum'],
    [400, 'The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).'],
    [400, 'request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it'],
    [500, 'the request exceeds the available context size. try increasing the context size'],
    [400, 'Input is too long for requested model.'],
    [413, '<html>Request Entity Too Large</html>'],
  ];
  for (const [status, words] of answers) {
    const { ended, messages } = await play([...longTalk, fails(status, words), says('Done.')]);
    assert.equal(ended, 'answered');
    assert.ok((lengths(messages)[0] ?? 0) < 300, words);
  }
});

test('other refusals shorten nothing', async () => {
  const refusals = [
    "Unknown parameter: 'context'.",
    'max_tokens is too large: 64000. This model supports at most 16384 completion tokens.',
    'temperature exceeds the maximum of 2',
    "Invalid 'tools[0].function.description': the input is too long.",
  ];
  for (const words of refusals)
    await assert.rejects(play([...longTalk, fails(400, words), says('Done.')]), /answered 400/, words);
  const busy = fails(429, 'Too many tokens, please wait before trying again.', { 'retry-after': '0.001' });
  const { messages } = await play([...longTalk, busy, says('Done.')]);
  assert.deepEqual(new Set(lengths(messages)), new Set([1_500]));
});

test('a conversation that cannot be shortened any more is given up at once', async () => {
  let asked = 0;
  const never: Answer = (response, request) => {
    asked += 1;
    fails(400, 'prompt is too long')(response, request);
  };
  await assert.rejects(play([long, never]), /cannot be shortened any more: .*prompt is too long/);
  assert.equal(asked, 1);
});

test('a conversation that fits is left alone', () => {
  const messages: Message[] = [{ role: 'tool', content: 'x'.repeat(1_000), tool_call_id: 'c' }];
  shorten(messages, 2_000);
  assert.equal(messages[0]?.content?.length, 1_000);
});

test('prompts hold the task and its hints, and are the same for every run', () => {
  assert.match(systemPrompt(), /^You are a coding agent/);
  assert.equal(taskPrompt({ instruction: 'Fix it.\n', hints: ['a.js'] }), 'Fix it.\n\nHints:\n\n- a.js');
});

test('the tools are described to the model with their parameters', async () => {
  const shell = new Shell('.', 100);
  const tools = createTools('.', shell, () => 10_000);
  const bash = tools.find(({ name }) => name === 'bash');
  assert.match(String(await bash?.run({ command: 'echo $((6 * 7))' })), /^42\nexit code 0/);
  assert.throws(() => bash?.run({}), /"command" is missing/);
  assert.ok(tools.some(({ name, required }) => name === 'edit' && required.includes('path')));
  shell.close();
});
