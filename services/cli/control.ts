import type { Command } from 'commander';
import { isLoopback } from '#services/api/auth.ts';
import { composeControl } from '#services/compose.ts';
import type { Config } from '#services/config.ts';
import { homeFlag, typed } from './command.ts';
import { type Greeting, serviceCommand } from './service-command.ts';
import type { Terminal } from './terminal.ts';
import { listOfRuns } from './words.ts';

/** `clade control`: the service without a worker of its own, until it is told to end. */
export function controlCommand(terminal: Terminal): Command {
  const description = 'start the service alone; the work is done by "clade worker", here or on other machines';
  const ending = 'Ending: workers go on with what they have, and ask again until control is back.';
  return serviceCommand({ name: 'control', description, compose: composeControl, greet, ending }, terminal);
}

function greet(terminal: Terminal, { url, config, unfinished }: Greeting): void {
  const { print, paint } = terminal;
  const flag = homeFlag(terminal, config.home);
  print(`${paint.bold('Clade control')} listens on ${paint.cyan(url)}; its data is in ${typed(config.home)}.`);
  if (unfinished.length > 0) print(`Unfinished: ${listOfRuns(unfinished)}.`);
  for (const line of howToWork(url, config)) print(line);
  print(paint.dim(`Its workers: npx clade workers${flag}. A run: npx clade run --detach --trials 200${flag}`));
  print(paint.dim(`What the API has: ${url}/openapi.json. Ctrl-C ends control; its workers wait for it.`));
}

/** Where and with what workers come. */
function howToWork(url: string, { host, tokens, redisUrl }: Config): string[] {
  const anywhere = host === '0.0.0.0' || host === '::' || host === '[::]';
  const address = anywhere ? url.replace(/\/\/.*:/, '//<this machine>:') : url;
  const worker = `npx clade worker --control ${address}`;
  const isOpen = tokens.admin === undefined && tokens.viewer === undefined;
  const start =
    tokens.worker !== undefined
      ? `Start workers, with the CLADE_WORKER_TOKEN that control has: CLADE_WORKER_TOKEN=... ${worker}`
      : isOpen
        ? `Start workers: ${worker}`
        : `Workers need a token: start control with CLADE_WORKER_TOKEN, 16 characters or more, and workers with the same: ${worker}`;
  const beyond = 'It listens on loopback: for workers on other machines start it with --host 0.0.0.0.';
  const slow = 'Without CLADE_REDIS workers ask control for jobs, each once a second.';
  return [start, ...(isLoopback(host) ? [beyond] : []), ...(redisUrl === null ? [slow] : [])];
}
