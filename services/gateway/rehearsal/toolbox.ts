import type { ChatCompletionCreateParams, ChatCompletionTool } from 'openai/resources/chat/completions';

/** A tool call to make: which tool, with which arguments. */
export interface Call {
  name: string;
  args: Record<string, unknown>;
}

/** What an agent's tools allow, whatever they are called. Null: it has none for that. */
export interface Toolbox {
  run: ((command: string) => Call) | null;
  /** Puts `after` in the place of `before`. */
  replace: ((path: string, before: string, after: string) => Call) | null;
  /** Writes a whole file. */
  write: ((path: string, text: string) => Call) | null;
  read: ((path: string) => Call) | null;
  /** Shows some lines of a file, counted from 1, both ends included. */
  view: ((path: string, first: number, last: number) => Call) | null;
  search: ((text: string) => Call) | null;
}

interface Described {
  name: string;
  properties: Record<string, { enum?: unknown[] }>;
}

const NAMES = {
  command: /^(command|cmd|script)$/i,
  path: /^(path|file|file_?path|file_?name)$/i,
  before: /^(old|old_?(str|string|text)|before|find)$/i,
  after: /^(new|new_?(str|string|text)|after|replacement|replace)$/i,
  content: /^(content|contents|file_?text|text)$/i,
  first: /^(first|from|start|start_?line|first_?line)$/i,
  last: /^(last|to|end|end_?line|last_?line)$/i,
  needle: /^(pattern|query|text|regex|needle)$/i,
} as const;

/** Understands an agent's tools by the names and parameters they are described with. */
export function readToolbox(request: ChatCompletionCreateParams): Toolbox {
  const tools = (request.tools ?? []).flatMap(describe);
  const run = runner(tools);
  const view = viewer(tools);
  const whole = (path: string) => view?.(path, 1, 100_000) ?? null;
  return {
    run,
    replace: replacer(tools) ?? (run && ((path, before, after) => run(replaceCommand(path, before, after)))),
    write: writer(tools) ?? (run && ((path, text) => run(writeCommand(path, text)))),
    read: run ? (path) => run(`cat ${quote(path)}`) : view && ((path) => whole(path) as Call), // view is there, so is whole
    view,
    search: searcher(tools),
  };
}

/** A text as one word of a shell command. */
export function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function describe(tool: ChatCompletionTool): Described[] {
  if (tool.type !== 'function') return [];
  const properties = tool.function.parameters?.properties;
  // The API leaves parameters as unknown JSON; only the names of properties and their `enum` are looked at.
  return [{ name: tool.function.name, properties: (properties ?? {}) as Described['properties'] }];
}

function param(tool: Described, kind: keyof typeof NAMES): string | null {
  return Object.keys(tool.properties).find((name) => NAMES[kind].test(name)) ?? null;
}

function runner(tools: readonly Described[]): Toolbox['run'] {
  for (const tool of tools) {
    const command = param(tool, 'command');
    if (command && !param(tool, 'path')) return (text) => ({ name: tool.name, args: { [command]: text } });
  }
  return null;
}

function replacer(tools: readonly Described[]): Toolbox['replace'] {
  for (const tool of tools) {
    const [path, before, after] = [param(tool, 'path'), param(tool, 'before'), param(tool, 'after')];
    if (!path || !before || !after) continue;
    const mode = modeOf(tool, /replace|edit/i);
    return (file, old, text) => ({ name: tool.name, args: { ...mode, [path]: file, [before]: old, [after]: text } });
  }
  return null;
}

function writer(tools: readonly Described[]): Toolbox['write'] {
  for (const tool of tools) {
    const path = param(tool, 'path');
    const content = param(tool, 'content') ?? param(tool, 'after');
    if (!path || !content || param(tool, 'first')) continue;
    const mode = modeOf(tool, /create|write/i);
    return (file, text) => ({ name: tool.name, args: { ...mode, [path]: file, [content]: text } });
  }
  return null;
}

function viewer(tools: readonly Described[]): Toolbox['view'] {
  for (const tool of tools) {
    const [path, first, last] = [param(tool, 'path'), param(tool, 'first'), param(tool, 'last')];
    if (!path || !first || !last || param(tool, 'after')) continue;
    return (file, from, to) => ({ name: tool.name, args: { [path]: file, [first]: from, [last]: to } });
  }
  return null;
}

function searcher(tools: readonly Described[]): Toolbox['search'] {
  for (const tool of tools) {
    const needle = param(tool, 'needle');
    if (needle && /search|grep|find/i.test(tool.name)) return (text) => ({ name: tool.name, args: { [needle]: text } });
  }
  return null;
}

/** For a tool that does several things, told apart by a parameter such as `command: create | str_replace`. */
function modeOf(tool: Described, wanted: RegExp): Record<string, unknown> {
  for (const [name, { enum: values }] of Object.entries(tool.properties)) {
    const value = values?.find((one) => wanted.test(String(one)));
    if (value !== undefined) return { [name]: value };
  }
  return {};
}

function writeCommand(path: string, text: string): string {
  const folder = path.includes('/') ? `mkdir -p ${quote(path.replace(/\/[^/]*$/, ''))} && ` : '';
  return `${folder}printf %s ${quote(text)} > ${quote(path)}`;
}

function replaceCommand(path: string, before: string, after: string): string {
  const program = [
    'const fs = require("node:fs");',
    `const [path, before, after] = ${JSON.stringify([path, before, after])};`,
    'const parts = fs.readFileSync(path, "utf8").split(before);',
    'if (parts.length !== 2) { console.error("found " + (parts.length - 1) + " times"); process.exit(1); }',
    'fs.writeFileSync(path, parts.join(after));',
  ].join('\n');
  return `node - <<'END_OF_EDIT'\n${program}\nEND_OF_EDIT`;
}
