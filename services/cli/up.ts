import type { Command } from 'commander';
import type { Run } from '#archive/schema.ts';
import { createAuthenticate } from '#services/api/auth.ts';
import { compose } from '#services/compose.ts';
import { asPort, type CommonOptions, command, configOf, homeFlag, typed } from './command.ts';
import { type Interrupt, onInterrupt } from './interrupt.ts';
import { checkPort, serve } from './serve.ts';
import type { Terminal } from './terminal.ts';
import { isOver } from './words.ts';

interface UpOptions extends CommonOptions {
  host?: string;
  port?: number;
  allowHost: string[];
  log?: string;
}

/** A shutdown that takes longer is cut short; what was under way is done again at the next start. */
const PATIENCE_MS = 9_500;

/** `clade up`: the service, until it is told to end. */
export function upCommand(terminal: Terminal): Command {
  return command('up', 'start the service, and go on with unfinished runs')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1); others need CLADE_ADMIN_TOKEN')
    .option('--port <n>', 'port to listen on (default: 7777; 0 for any free one)', asPort)
    .option('--allow-host <name:port...>', 'further exact Host headers to answer', [])
    .option('--log <level>', 'what to log on stderr: silent, error, warn, info, debug')
    .action((options: UpOptions) => up(options, terminal));
}

async function up({ home, host, port, log, allowHost, json }: UpOptions, terminal: Terminal): Promise<void> {
  const config = configOf(terminal, { home, host, port, logLevel: log });
  createAuthenticate({ ...config });
  await checkPort(config);
  using interrupt = onInterrupt(terminal, 'Ending: work under way gets a few seconds, then it is given back.');
  await using service = await compose(config);
  await using listening = await serve(service, allowHost);
  const unfinished = service.archive.runs.list().filter((run) => !isOver(run));
  if (json)
    terminal.print(
      JSON.stringify({
        url: listening.url,
        pid: process.pid,
        home: config.home,
        unfinished: unfinished.map(({ id }) => id),
      }),
    );
  else greet(terminal, { url: listening.url, home: config.home, unfinished });
  await ended(interrupt);
}

/** Resolves when the service is to end; from then on its process has `PATIENCE_MS` left. */
function ended({ signal }: Interrupt): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      setTimeout(() => process.exit(1), PATIENCE_MS).unref();
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

function greet(terminal: Terminal, { url, home, unfinished }: { url: string; home: string; unfinished: Run[] }): void {
  const { print, paint } = terminal;
  const flag = homeFlag(terminal, home);
  print(`${paint.bold('Clade')} listens on ${paint.cyan(url)}; its data is in ${typed(home)}.`);
  if (unfinished.length > 0) print(`Unfinished: ${unfinished.map((run) => `${run.id} (${run.state})`).join(', ')}.`);
  print(paint.dim(`Begin a run in another terminal: npx clade run --trials 200${flag}`));
  print(paint.dim(`What the API has: ${url}/openapi.json. Ctrl-C ends the service.`));
}
