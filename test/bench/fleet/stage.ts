import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readOwner } from '#archive/owner.ts';
import { openRedisServer, type RedisServer } from '#test/provision/redis.ts';
import { launcher, plainEnvironment, temporaryHome } from '#test/service-process.ts';
import type { SleepingWorker } from './sleeping-worker.ts';

/** A process of the fleet, which may be ended and begun again. */
export interface Part {
  readonly pid: number;
  readonly hasEnded: boolean;
  /** What it wrote to stderr last. */
  said(): string;
  signal(signal: NodeJS.Signals): void;
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Redis and a control as processes of their own, on loopback, with a data directory that is gone in the end. */
export interface Stage extends AsyncDisposable {
  home: string;
  redis: RedisServer;
  /** Where control answers, also after it was begun again. */
  url: string;
  control(): Part;
  /** Begins control, which has ended, again at the same address. */
  beginControl(): Promise<void>;
  worker(args: readonly string[]): Part;
  sleeper(settings: Omit<SleepingWorker, 'home' | 'url'>): Part;
  /** Waits until so many workers have joined. */
  workersIn(count: number): Promise<void>;
}

const SLEEPER = fileURLToPath(new URL('./sleeping-worker.ts', import.meta.url));

/** @param allowedHost a further `Host` that control answers to. */
export async function openStage(allowedHost?: string): Promise<Stage> {
  await using opening = new AsyncDisposableStack();
  const { home } = opening.use(temporaryHome());
  const redis = opening.use(await openRedisServer({ 'maxmemory-policy': 'noeviction' }));
  const parts = new Set<Part>();
  opening.defer(async () => {
    for (const part of [...parts].reverse()) await part.end('SIGTERM');
  });
  const begin = (file: string, args: readonly string[], env: Record<string, string> = {}): Part => {
    const part = startPart(file, args, env);
    parts.add(part);
    return part;
  };
  let port = 0;
  let control: Part;
  const beginControl = async (): Promise<string> => {
    const more = allowedHost === undefined ? [] : ['--allow-host', allowedHost];
    const args = ['control', '--home', home, '--port', String(port), ...more];
    control = begin(launcher, args, { CLADE_REDIS: redis.url });
    return await addressOf(home, control);
  };
  const url = await beginControl();
  port = Number(new URL(url).port);
  const all = opening.move();
  return {
    ...{ home, redis, url },
    control: () => control,
    beginControl: async () => void (await beginControl()),
    worker: (args) => begin(launcher, ['worker', ...args]),
    sleeper: (settings) =>
      begin(SLEEPER, [
        JSON.stringify({ ...settings, url, home: join(home, 'workers', settings.name) } satisfies SleepingWorker),
      ]),
    workersIn: async (count) => {
      while ((await workersOf(url)) < count) {
        const ended = [...parts].find((part) => part.hasEnded);
        if (ended) throw new Error(`A part of the fleet ended:\n${ended.said()}`);
        await sleep(100);
      }
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function workersOf(url: string): Promise<number> {
  const workers = (await (await fetch(new URL('/v1/workers', url))).json()) as { state: string }[];
  return workers.filter(({ state }) => state === 'active').length;
}

function startPart(file: string, args: readonly string[], env: Record<string, string>): Part {
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...plainEnvironment(), ...env },
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-20_000);
  });
  const exited = once(child, 'exit');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid!,
    get hasEnded() {
      return hasEnded();
    },
    said: () => said,
    signal: (signal) => void child.kill(signal),
    async end(signal) {
      if (!hasEnded()) kill(child, signal);
      await exited;
    },
  };
}

/** One that was stopped hears nothing but SIGKILL and SIGCONT. */
function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  child.kill(signal);
  if (signal !== 'SIGKILL') child.kill('SIGCONT');
}

async function addressOf(home: string, control: Part): Promise<string> {
  for (;;) {
    const owner = readOwner(home);
    if (owner?.pid === control.pid && owner?.url) return owner.url;
    if (control.hasEnded) throw new Error(`control ended before it listened:\n${control.said()}`);
    await sleep(20);
  }
}

/** Memory that a process holds at the moment, in MiB. */
export function residentMiB({ pid }: Pick<Part, 'pid'>): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) / 1024;
}
