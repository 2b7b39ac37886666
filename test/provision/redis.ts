import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Provision } from './docker.ts';
import { providePrograms } from './packages.ts';

const REDIS = 'redis-server';

/** Makes sure that a Redis can be started, where that can be done. */
export async function provideRedis(): Promise<Provision> {
  try {
    await providePrograms([REDIS]);
    return { available: true, reason: '' };
  } catch (error) {
    return { available: false, reason: error instanceof Error ? error.message : String(error) };
  }
}

export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  /** Runs a command, whatever state the server's users are in. */
  command(name: string, ...args: (string | number)[]): Promise<unknown>;
  /** Ends it as a power cut does; what it held is gone, since it writes nothing to disk. */
  kill(): Promise<void>;
  /** Begins anew, empty, at the same address, with other settings where such are given. */
  restart(settings?: Record<string, string>): Promise<void>;
  /** Nothing is answered until `thaw`, and connections stay open. */
  freeze(): void;
  thaw(): void;
}

/** A Redis of its own, on loopback, gone with everything in it when disposed of. `settings` as in `redis.conf`. */
export async function openRedisServer(settings: Record<string, string> = {}): Promise<RedisServer> {
  const directory = await mkdtemp(path.join(tmpdir(), 'clade-test-redis-'));
  const port = await freePort();
  let child = await start(directory, port, settings);
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    command: (name, ...args) => oneCommand(path.join(directory, 'socket'), name, args),
    kill,
    async restart(other = {}) {
      child = await start(directory, port, { ...settings, ...other });
    },
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function start(directory: string, port: number, settings: Record<string, string>): Promise<ChildProcess> {
  const all = {
    ...{ bind: '127.0.0.1', port: String(port), dir: directory, unixsocket: path.join(directory, 'socket') },
    ...{ save: '', appendonly: 'no', ...settings },
  };
  const file = path.join(directory, 'redis.conf');
  const lines = Object.entries(all).map(([name, value]) => `${name} ${value || '""'}\n`);
  await writeFile(file, lines.join(''));
  const child = spawn(REDIS, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2_000);
  });
  while (!said.includes('Ready to accept connections')) {
    if (child.exitCode !== null) throw new Error(`${REDIS} did not start: ${said}`);
    await delay(20);
  }
  return child;
}

async function oneCommand(socket: string, name: string, args: (string | number)[]): Promise<unknown> {
  const client = new Redis(socket, { enableReadyCheck: false, retryStrategy: null });
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}
