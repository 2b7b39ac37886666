import { shorten } from './context.ts';
import { type Chat, ContextOverflow, type Message, type Reply, type ToolCall } from './model.ts';
import { goOn } from './prompt.ts';
import type { Tool } from './tools.ts';

export interface Work {
  chat: Chat;
  tools: Tool[];
  /** The conversation; grows. */
  messages: Message[];
  maxSteps: number;
  contextChars: number;
  leftMs(): number;
  log(entry: { type: 'model' | 'tool' | 'note'; [key: string]: unknown }): void;
}

export type Ended = 'answered' | 'step-limit' | 'deadline';

/** Asks the model and does what it calls for, until it answers without a call or a limit is met. */
export async function work(job: Work): Promise<Ended> {
  for (let step = 1; step <= job.maxSteps; step++) {
    if (job.leftMs() <= 0) return 'deadline';
    const { message, isCut } = await ask(job);
    const calls = message.tool_calls ?? [];
    job.messages.push(message);
    job.log({ type: 'model', content: message.content, calls: calls.map((call) => call.function) });
    if (isCut && calls.length === 0) {
      message.content ||= '(nothing)'; // Providers refuse a message without a word.
      job.messages.push({ role: 'user', content: goOn });
      continue;
    }
    if (calls.length === 0) return 'answered';
    for (const call of calls) job.messages.push(await answer(job, call));
  }
  return 'step-limit';
}

/** A conversation that is too long for the model all the same is halved and asked again, for as long as it gets shorter. */
async function ask(job: Work): Promise<Reply> {
  const size = shorten(job.messages, job.contextChars);
  try {
    return await job.chat(job.messages, job.tools);
  } catch (error) {
    if (!(error instanceof ContextOverflow)) throw error;
    const isStuck = shorten(job.messages, size / 2) === size;
    if (isStuck) throw new ContextOverflow(`the conversation cannot be shortened any more: ${error.message}`);
    job.log({ type: 'note', text: `conversation shortened: ${error.message}` });
    return ask(job);
  }
}

async function answer(job: Work, call: ToolCall): Promise<Message> {
  const content = await callTool(job.tools, call).catch((error: Error) => `error: ${error.message}`);
  job.log({ type: 'tool', name: call.function.name, result: content });
  return { role: 'tool', tool_call_id: call.id, content };
}

async function callTool(tools: Tool[], call: ToolCall): Promise<string> {
  const tool = tools.find((candidate) => candidate.name === call.function.name);
  if (!tool) throw new Error(`no tool "${call.function.name}"; there are ${tools.map(({ name }) => name).join(', ')}`);
  return await tool.run(JSON.parse(call.function.arguments || '{}'));
}
