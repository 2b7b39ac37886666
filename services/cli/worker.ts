import { hostname } from 'node:os';
import type { Command } from 'commander';
import { DRAIN_MS } from '#services/compose.ts';
import { composeWorker } from '#services/compose-worker.ts';
import type { Config } from '#services/config.ts';
import { CladeError } from '#services/errors.ts';
import type { StationEnd } from '#services/worker/station.ts';
import { asCount, asPositiveCount, type CommonOptions, command, configOf } from './command.ts';
import { onInterrupt } from './interrupt.ts';
import { plainLine } from './plain-text.ts';
import type { Terminal } from './terminal.ts';

interface WorkerOptions extends CommonOptions {
  control?: string;
  token?: string;
  name?: string;
  slots?: number;
  labels: string[];
  gpus?: string;
  gpuShare?: number;
  minFree?: number;
  healthFile?: string;
  log?: string;
}

/** A shutdown that takes longer after its jobs were given back is cut short. */
const PATIENCE_MS = 15_000;

/** `clade worker`: does jobs of a control elsewhere, until it is told to end. */
export function workerCommand(terminal: Terminal): Command {
  return command('worker', 'do the work of a "clade control", here or on another machine')
    .option('--control <url>', 'where control listens, such as http://10.0.0.5:7777 (default: CLADE_CONTROL)')
    .option(
      '--token <token>',
      "control's CLADE_WORKER_TOKEN; better given as that variable, which no process list shows",
    )
    .option('--name <name>', 'what control knows it by (default: the name of this machine)')
    .option('--slots <n>', 'jobs at once (default: one for each core)', asPositiveCount)
    .option('--labels <a,b>', 'words for people, shown in "clade workers"', asList, [])
    .option('--gpus <which>', 'all, none, or some by number or uuid, such as 0,1 (default: CLADE_GPUS, else all)')
    .option(
      '--gpu-share <n>',
      'sandboxes that may use one GPU at the same time (default: CLADE_GPU_SHARE, else 1)',
      asPositiveCount,
    )
    .option(
      '--min-free <MiB>',
      'take no jobs below this much free disk (default: CLADE_MIN_FREE_MIB, else 200)',
      asCount,
    )
    .option(
      '--health-file <file>',
      'write this file anew whenever control has answered, for what watches over containers',
    )
    .option('--log <level>', 'what to log on stderr: silent, error, warn, info, debug')
    .action((options: WorkerOptions) => work(options, terminal));
}

async function work(options: WorkerOptions, terminal: Terminal): Promise<void> {
  const config = workerConfig(options, terminal);
  const name = options.name ?? ownName();
  const say = (text: string) => terminal.say(`${name}: ${plainLine(text, 1_000)}`);
  const abandon = new AbortController();
  const giveBack = () => abandon.abort(new Error('the worker is shutting down'));
  using interrupt = onInterrupt(terminal, ENDING, giveBack);
  await using worker = await composeWorker(config, {
    ...{ name, labels: options.labels, gpus: config.gpus, onNews: say },
    healthFile: options.healthFile,
    slots: options.slots ?? navigator.hardwareConcurrency,
  });
  const { slots, instance } = worker.description;
  const { controlUrl } = config;
  if (options.json) terminal.print(JSON.stringify({ name, instance, control: controlUrl, slots, pid: process.pid }));
  else terminal.print(`${terminal.paint.bold(`Worker ${name}`)} with ${slots} slots, for control at ${controlUrl}.`);
  interrupt.signal.addEventListener('abort', () => {
    setTimeout(giveBack, DRAIN_MS).unref();
    setTimeout(() => process.exit(1), DRAIN_MS + PATIENCE_MS).unref();
  });
  const end = await worker.run({ stop: interrupt.signal, abandon: abandon.signal }).catch((error) => {
    throw explained(error, controlUrl);
  });
  if (!options.json) terminal.print(endText(name, end));
}

const ENDING =
  'Ending: work under way gets a few seconds, then it is given back. Ctrl-C again gives it back now, a third time leaves it.';

/** @throws CladeError `invalid-config` without a control. */
function workerConfig(
  { home, log, minFree, control, token, gpus, gpuShare }: WorkerOptions,
  terminal: Terminal,
): Config & { controlUrl: string } {
  const flags = { home, logLevel: log, minFreeMiB: minFree, control, workerToken: token, gpus, gpuShare };
  const config = configOf(terminal, flags);
  const { controlUrl } = config;
  if (controlUrl !== null) return { ...config, controlUrl };
  throw new CladeError(
    'invalid-config',
    'A worker needs to know its control: --control http://10.0.0.5:7777, or CLADE_CONTROL.',
  );
}

/** The machine's name, as a worker's may be. */
function ownName(): string {
  return (
    hostname()
      .replace(/[^\w.-]/g, '-')
      .slice(0, 64) || 'worker'
  );
}

/** What control said, with what to do about it here. */
function explained(error: unknown, controlUrl: string): unknown {
  if (!(error instanceof Error)) return error;
  const code = error instanceof CladeError ? error.code : error.name === 'NotFound' ? 'not-found' : null;
  if (code === 'unauthorized' || code === 'forbidden')
    return new CladeError(
      code,
      `Control at ${controlUrl} does not take this worker's token: give it control's CLADE_WORKER_TOKEN, as that variable or with --token.`,
      { cause: error },
    );
  if (code === 'not-found' || code === 'wrong-method')
    return new CladeError(
      'no-service',
      `The service at ${controlUrl} takes no workers. Is it "clade up"? Workers need "clade control" there.`,
      { cause: error },
    );
  return error;
}

function endText(name: string, end: StationEnd): string {
  if (end === 'drained')
    return `Worker ${name} was drained and ends. Started again, it waits for "clade workers uncordon".`;
  if (end === 'removed') return `Worker ${name} was removed by an operator and ends.`;
  return `Worker ${name} has ended.`;
}

function asList(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}
