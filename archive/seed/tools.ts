import { edit } from './edit.ts';
import { settings } from './settings.ts';
import type { Shell } from './shell.ts';

type Arguments = Record<string, unknown>;

/** Something the model can call. `run` returns what the model gets to see; what it throws is shown as an error. */
export interface Tool {
  name: string;
  description: string;
  parameters: Record<string, { type: string; description: string }>;
  required: string[];
  run(args: Arguments): Promise<string> | string;
}

export function createTools(directory: string, shell: Shell, leftMs: () => number): Tool[] {
  return [bashTool(shell, leftMs), editTool(directory)];
}

/** A required text argument. */
export function text(args: Arguments, name: string): string {
  const value = args[name];
  if (typeof value !== 'string') throw new Error(`"${name}" is missing or not a text`);
  return value;
}

function bashTool(shell: Shell, leftMs: () => number): Tool {
  return {
    name: 'bash',
    description: 'Runs a command in a bash that stays open, and returns its output and exit code.',
    parameters: { command: { type: 'string', description: 'The command.' } },
    required: ['command'],
    run: (args) => shell.run(text(args, 'command'), Math.max(1, Math.min(settings.commandTimeoutMs, leftMs()))),
  };
}

function editTool(directory: string): Tool {
  return {
    name: 'edit',
    description: 'Replaces a piece of text in a file. The old text must be in the file exactly once.',
    parameters: {
      path: { type: 'string', description: 'The file, relative to the repository.' },
      old: { type: 'string', description: 'The text to replace; left out, "new" becomes the whole file.' },
      new: { type: 'string', description: 'The text to put there.' },
    },
    required: ['path', 'new'],
    run: (args) =>
      edit(directory, text(args, 'path'), args.old === undefined ? '' : text(args, 'old'), text(args, 'new')),
  };
}
