import type { ChatCompletionCreateParams, ChatCompletionTool } from 'openai/resources/chat/completions';
import { describe, expect, it } from 'vitest';
import { Ability, type Task } from '#benchmarks/schema.ts';
import { entries } from '#services/gateway/rehearsal/bank/bank.ts';
import type { Entry } from '#services/gateway/rehearsal/bank/entry.ts';
import { createRehearsal } from '#services/gateway/rehearsal/rehearsal.ts';
import { openStage, readSource, seedDirectory } from './rehearsal-stage.ts';
import { rewriteTask, suiteOf, task } from './rehearsal-tasks.ts';

const plain = [task('plain', []), rewriteTask('rewrite', [])];
const demanding = Ability.options.map((ability) =>
  task(ability.replace('-', ''), [ability], {
    isNamed: ability !== 'search',
    filling: ability === 'ranged-read' ? 300 : 0,
  }),
);
const rewriting = Ability.options.map((ability) => rewriteTask(`${ability.replace('-', '')}Rewrite`, [ability]));
const suite = suiteOf([...plain, ...demanding, ...rewriting]);
const { chat } = createRehearsal({ suites: () => [suite] });
const single = entries.filter(
  ({ effect }) => effect.kind === 'good' && effect.extent === 'full' && effect.abilities.length === 1,
);

const terminal = tool('terminal', { cmd: { type: 'string' } });
const viewer = tool('show', { file_path: {}, from: {}, to: {} });
const editor = tool('str_replace_editor', {
  command: { enum: ['view', 'create', 'str_replace'] },
  path: {},
  old_str: {},
  new_str: {},
  file_text: {},
});

describe('the seed agent with the rehearsal model', { timeout: 120_000 }, () => {
  it('solves what takes no special ability, and nothing else', async () => {
    expect(await solved(suite.tasks)).toEqual(plain.map(({ id }) => id));
  });

  it.each(single.map((entry) => [entry.title, entry] as const))(
    'solves what one more ability allows: %s',
    async (_title, entry) => {
      const tasks = [...plain, ...demanding];
      const lifted = tasks.filter(({ abilities }) => abilities.every((ability) => lifts(entry, ability)));
      expect(await solved(tasks, entry)).toEqual(lifted.map(({ id }) => id));
    },
  );

  it('solves everything with all remedies', async () => {
    expect(await solved(suite.tasks, ...single)).toEqual(suite.tasks.map(({ id }) => id));
  });
});

describe('the rehearsal model', () => {
  it('changes nothing in a task that it does not know', () => {
    const { message, finish_reason } = answer(ask('Do something else.'));
    expect(message.content).toMatch(/in no suite that I know/);
    expect(finish_reason).toBe('stop');
  });

  it('gives the same answer to the same request, with usage but without a clock', () => {
    const request = ask(plain[0]?.instruction ?? '');
    expect(chat(request, 1)).toEqual(chat(request, 1));
    expect(chat(request, 1)).toMatchObject({
      created: 0,
      object: 'chat.completion',
      usage: { prompt_tokens: expect.any(Number) },
    });
  });

  it('reads with the tools that it is offered, whatever their names', () => {
    const { instruction } = plain[0] ?? task('none', []);
    expect(firstCall(ask(instruction, [terminal]))).toEqual({ name: 'terminal', args: { cmd: 'cat src/plain.js' } });
    expect(firstCall(ask(instruction, [viewer, editor]))).toEqual({
      name: 'show',
      args: { file_path: 'src/plain.js', from: 1, to: 100000 },
    });
  });

  it('edits with an editor of several commands, or with a shell alone', () => {
    const seen = plain[0]?.workspace[0]?.bytes;
    const nextAfterReading = (tools: ChatCompletionTool[]) =>
      firstCall(readAlready(ask(plain[0]?.instruction ?? '', tools), new TextDecoder().decode(seen)));
    expect(nextAfterReading([terminal, editor])).toMatchObject({
      name: 'str_replace_editor',
      args: { command: 'str_replace', path: 'src/plain.js' },
    });
    expect(nextAfterReading([terminal])).toMatchObject({
      name: 'terminal',
      args: { cmd: expect.stringContaining('fs.writeFileSync') },
    });
  });

  it('does not edit what it was not shown', () => {
    const request = readAlready(ask(plain[0]?.instruction ?? '', [terminal, editor]), 'export function');
    expect(firstCall(request)?.args.old_str).toMatch(/something/);
  });
});

describe('asked to improve an agent, the rehearsal model', () => {
  it('names an entry of its bank, depending on the seed', async () => {
    const prompt = await diagnosisPrompt([]);
    const titles = Array.from(
      { length: 20 },
      (_, seed) => JSON.parse(answer(prompt, seed).message.content ?? '').title,
    );
    expect(new Set(titles).size).toBeGreaterThan(5);
    expect(entries.map(({ title }) => title)).toEqual(expect.arrayContaining(titles));
  });

  it('does not depend on what the agent printed', async () => {
    const prompts = [await diagnosisPrompt([], 'took 12 ms'), await diagnosisPrompt([], 'took 34 ms')];
    for (const seed of [1, 2, 3])
      expect(answer(prompts[0], seed).message.content).toBe(answer(prompts[1], seed).message.content);
  });

  it('offers nothing twice, and comes to an end', async () => {
    const tried: string[] = [];
    for (let round = 0; round < entries.length; round++) {
      const { content } = answer(await diagnosisPrompt(tried), 3).message;
      if (!content?.startsWith('{')) break;
      tried.push(JSON.parse(content).title);
    }
    expect(new Set(tried).size).toBe(tried.length);
    expect(tried.length).toBe(entries.length);
    expect(answer(await diagnosisPrompt(tried), 3).message.content).toMatch(/nothing to improve/);
  });
});

function lifts({ effect }: Entry, ability: Ability): boolean {
  return effect.kind === 'good' && effect.abilities.includes(ability);
}

async function solved(tasks: readonly Task[], ...made: typeof single): Promise<string[]> {
  await using stage = await openStage(suite);
  const agent = await stage.agent(...made);
  const results = await Promise.all(tasks.map(async (one) => ((await stage.solves(agent, one)) ? [one.id] : [])));
  return results.flat();
}

function ask(instruction: string, tools: ChatCompletionTool[] = [terminal]): ChatCompletionCreateParams {
  const messages = [
    { role: 'system' as const, content: 'You are an agent.' },
    { role: 'user' as const, content: instruction },
  ];
  return { model: 'rehearsal', messages, tools };
}

function readAlready(request: ChatCompletionCreateParams, content: string): ChatCompletionCreateParams {
  const { message } = answer(request);
  const results = (message.tool_calls ?? []).map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content }));
  return { ...request, messages: [...request.messages, message, ...results] };
}

function answer(request: ChatCompletionCreateParams | undefined, seed = 1) {
  const choice = request && chat(request, seed).choices[0];
  if (!choice) throw new Error('there was no request or no answer');
  return choice;
}

function firstCall(request: ChatCompletionCreateParams) {
  const call = answer(request).message.tool_calls?.[0];
  return call?.type === 'function' ? { name: call.function.name, args: JSON.parse(call.function.arguments) } : null;
}

async function diagnosisPrompt(tried: readonly string[], printed = ''): Promise<ChatCompletionCreateParams> {
  const source = [...(await readSource(seedDirectory))].map(
    ([path, text]) => `### ${path}\n\n\`\`\`\`\n${text.trimEnd()}\n\`\`\`\`\n`,
  );
  const content = [
    `## Source\n\n${source.join('\n')}`,
    `## Evidence\n\n### Trial: unresolved\n\n\`\`\`\n${demanding[0]?.instruction}\n\`\`\`\n\n\`\`\`\n${printed}\n\`\`\``,
    `## Already tried\n\n${tried.map((title) => `- ${title} (joined)`).join('\n')}`,
    '## Answer\n\nAnswer with JSON.',
  ].join('\n\n');
  const system = { role: 'system' as const, content: 'You improve a coding agent. Say how.' };
  return { model: 'rehearsal', messages: [system, { role: 'user', content }] };
}

function tool(name: string, properties: Record<string, unknown>): ChatCompletionTool {
  return { type: 'function', function: { name, parameters: { type: 'object', properties } } };
}
