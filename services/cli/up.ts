import type { Command } from 'commander';
import { compose } from '#services/compose.ts';
import { homeFlag, typed } from './command.ts';
import { type Greeting, serviceCommand } from './service-command.ts';
import type { Terminal } from './terminal.ts';
import { listOfRuns } from './words.ts';

/** `clade up`: the service, until it is told to end. */
export function upCommand(terminal: Terminal): Command {
  const description = 'start the service, and go on with unfinished runs';
  const ending = 'Ending: work under way gets a few seconds, then it is given back.';
  return serviceCommand({ name: 'up', description, compose, greet, ending }, terminal);
}

function greet(terminal: Terminal, { url, config: { home }, unfinished }: Greeting): void {
  const { print, paint } = terminal;
  const flag = homeFlag(terminal, home);
  print(`${paint.bold('Clade')} listens on ${paint.cyan(url)}; its data is in ${typed(home)}.`);
  if (unfinished.length > 0) print(`Unfinished: ${listOfRuns(unfinished)}.`);
  print(paint.dim(`Begin a run in another terminal: npx clade run --trials 200${flag}`));
  print(paint.dim(`What the API has: ${url}/openapi.json. Ctrl-C ends the service.`));
}
