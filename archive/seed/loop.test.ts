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

const says =
  (content: string): Answer =>
  (response) => {
    response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] }));
  };
const calls =
  (name: string, args: unknown): Answer =>
  (response) => {
    const call = { id: 'c1', type: 'function', function: { name, arguments: JSON.stringify(args) } };
    response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content: null, tool_calls: [call] } }] }));
  };
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

test('a conversation that is too long is shortened from its oldest results on', async () => {
  const tooLong: Answer = (response, { messages }) =>
    JSON.stringify(messages).length > 9_000
      ? fails(400, '{"error":{"code":"context_length_exceeded"}}')(response, { messages })
      : says('Done.')(response, { messages });
  const long = calls('echo', { text: 'x', times: 1_500 });
  const { requests } = await play([long, long, long, long, long, long, tooLong]);
  const sizes = requests
    .at(-1)
    ?.messages.filter(({ role }) => role === 'tool')
    .map(({ content }) => content?.length);
  assert.ok((sizes?.[0] ?? 0) < 300 && sizes?.at(-1) === 1_500, `${sizes}`);
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
