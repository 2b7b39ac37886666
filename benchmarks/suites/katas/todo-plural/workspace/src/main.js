import { parseArguments } from './cli/arguments.js';
import { commands } from './cli/commands.js';
import { render } from './view/render.js';

/** Runs one command on the items and returns the new items and what to print. */
export function run(argv, items) {
  const { name, words, flags } = parseArguments(argv);
  const command = commands[name];
  if (!command) return { items, output: `unknown command: ${name}\n` };
  const next = command(items, words, flags);
  return { items: next, output: render(next, flags) };
}
