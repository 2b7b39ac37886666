import { readFileSync } from 'node:fs';
import { work } from './loop.ts';
import { createChat } from './model.ts';
import { systemPrompt, type Task, taskPrompt } from './prompt.ts';
import { settings } from './settings.ts';
import { Shell } from './shell.ts';
import { createTools } from './tools.ts';

const manifest = JSON.parse(readFileSync(new URL('./agent.json', import.meta.url), 'utf8'));
const directory = process.cwd();
const endMs = Number(process.env.CLADE_DEADLINE_MS ?? 600_000) - settings.reserveMs;
// The clock of `performance` starts with this process, as the deadline does.
const leftMs = () => endMs - performance.now();
const shell = new Shell(directory, settings.outputChars);
const tools = createTools(directory, shell, leftMs);
const log = (entry: unknown) => process.stdout.write(`${JSON.stringify(entry)}\n`);

if (process.argv.includes('--check')) {
  log({ ok: true, name: manifest.name, tools: tools.map((tool) => tool.name) });
} else {
  await solve(readTask());
}

async function solve(task: Task): Promise<void> {
  const chat = createChat({
    baseUrl: needed('OPENAI_BASE_URL'),
    model: needed('CLADE_MODEL'),
    apiKey: process.env.OPENAI_API_KEY ?? 'none',
    leftMs,
  });
  const messages = [
    { role: 'system' as const, content: systemPrompt() },
    { role: 'user' as const, content: taskPrompt(task) },
  ];
  try {
    const ended = await work({ ...settings, chat, tools, messages, leftMs, log });
    log({ type: 'note', text: `ended: ${ended}` });
  } catch (error) {
    log({ type: 'note', text: String(error) });
    if (leftMs() > 0) process.exitCode = 1;
  } finally {
    shell.close();
  }
}

function readTask(): Task {
  const task: Partial<Task> = JSON.parse(readFileSync(needed('CLADE_TASK'), 'utf8'));
  return { instruction: task.instruction ?? '', hints: task.hints ?? [] };
}

function needed(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; see README.md for how the agent is started`);
  return value;
}
