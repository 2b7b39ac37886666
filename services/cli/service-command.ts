import type { Command } from 'commander';
import type { Run } from '#archive/schema.ts';
import { createAuthenticate } from '#services/api/auth.ts';
import type { Service } from '#services/compose.ts';
import type { Config } from '#services/config.ts';
import { asPort, type CommonOptions, command, configOf } from './command.ts';
import { type Interrupt, onInterrupt } from './interrupt.ts';
import { checkPort, serve } from './serve.ts';
import type { Terminal } from './terminal.ts';
import { isOver } from './words.ts';

interface ServiceOptions extends CommonOptions {
  host?: string;
  port?: number;
  allowHost: string[];
  log?: string;
}

/** What is said once a service listens. */
export interface Greeting {
  url: string;
  config: Config;
  unfinished: Run[];
}

/** A command that is a service until it is told to end. */
export interface ServiceRole {
  name: string;
  description: string;
  compose: (config: Config) => Promise<Service>;
  greet: (terminal: Terminal, greeting: Greeting) => void;
  /** Said when it is interrupted. */
  ending: string;
}

/** A shutdown that takes longer is cut short; what was under way is done again at the next start. */
const PATIENCE_MS = 9_500;

export function serviceCommand({ name, description, ...role }: ServiceRole, terminal: Terminal): Command {
  return command(name, description)
    .option('--host <address>', 'address to listen on (default: 127.0.0.1); others need CLADE_ADMIN_TOKEN')
    .option('--port <n>', 'port to listen on (default: 7777; 0 for any free one)', asPort)
    .option('--allow-host <name:port...>', 'further exact Host headers to answer', [])
    .option('--log <level>', 'what to log on stderr: silent, error, warn, info, debug')
    .action((options: ServiceOptions) => run(role, options, terminal));
}

async function run(
  { compose, greet, ending }: Omit<ServiceRole, 'name' | 'description'>,
  { home, host, port, log, allowHost, json }: ServiceOptions,
  terminal: Terminal,
): Promise<void> {
  const config = configOf(terminal, { home, host, port, logLevel: log });
  createAuthenticate({ ...config });
  await checkPort(config);
  using interrupt = onInterrupt(terminal, ending);
  await using service = await compose(config);
  await using listening = await serve(service, allowHost);
  const unfinished = service.archive.runs.list().filter((one) => !isOver(one));
  const { url } = listening;
  if (json) {
    const ids = unfinished.map(({ id }) => id);
    terminal.print(JSON.stringify({ url, pid: process.pid, home: config.home, unfinished: ids }));
  } else greet(terminal, { url, config, unfinished });
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
