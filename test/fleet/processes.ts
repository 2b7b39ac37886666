import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { z } from 'zod';
import { WorkerView } from '#services/scheduler/worker-view.ts';
import { launcher, plainEnvironment, startService } from '#test/service-process.ts';

/** `clade worker` as a process of its own. */
export interface WorkerProcess extends AsyncDisposable {
  /** What it printed so far, to stdout and stderr. */
  printed: () => string;
  /** Sends a signal, and leaves it to the worker what comes of it. */
  kill(signal: NodeJS.Signals): void;
  /** Waits for its end. @returns its exit code, or null when a signal ended it. */
  ended(): Promise<number | null>;
}

/** A control and a place for its workers, all of it gone at the end. */
export interface FleetPlace extends AsyncDisposable {
  home: string;
  readonly url: string;
  /** Ends control with a signal and starts it again at the same address. */
  restartControl(signal: NodeJS.Signals): Promise<void>;
  worker(name: string, args?: readonly string[], env?: Record<string, string>): WorkerProcess;
  workers(): Promise<WorkerView[]>;
  /** Waits, for at most 90 s, until a worker is as it should be. */
  until(name: string, is: (worker: WorkerView) => boolean): Promise<WorkerView>;
}

export async function openFleet(env: Record<string, string> = {}): Promise<FleetPlace> {
  await using opening = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'clade-test-fleet-'));
  opening.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }));
  const home = join(directory, 'control');
  let control = await startService(home, env, { role: 'control' });
  opening.defer(async () => void (await control.end('SIGKILL')));
  const { url } = control;
  const workers = async () => {
    const headers: Record<string, string> = {};
    if (env.CLADE_ADMIN_TOKEN !== undefined) headers.authorization = `Bearer ${env.CLADE_ADMIN_TOKEN}`;
    return z.array(WorkerView).parse(await (await fetch(`${url}/v1/workers`, { headers })).json());
  };
  const started = opening.use(new AsyncDisposableStack());
  const parts = opening.move();
  return {
    ...{ home, url, workers },
    async restartControl(signal) {
      await control.end(signal);
      control = await startService(home, env, { role: 'control', port: new URL(url).port });
    },
    worker(name, args = [], workerEnv = {}) {
      const own = ['--name', name, '--home', join(directory, name), '--control', url, ...args];
      return started.use(startWorker(own, workerEnv));
    },
    async until(name, is) {
      let seen: WorkerView | undefined;
      for (let waited = 0; waited < 90_000; waited += 100) {
        seen = (await workers()).find((worker) => worker.name === name);
        if (seen !== undefined && is(seen)) return seen;
        await sleep(100);
      }
      expect.fail(`worker ${name} did not become what it should within 90 s; it is ${JSON.stringify(seen)}`);
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function startWorker(args: readonly string[], env: Record<string, string>): WorkerProcess {
  const child: ChildProcess = spawn(process.execPath, [launcher, 'worker', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...plainEnvironment(), ...env },
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (printed += chunk));
  const exited = once(child, 'close');
  const ended = async () => {
    await exited;
    return child.exitCode;
  };
  return {
    printed: () => printed,
    kill: (signal) => void child.kill(signal),
    ended,
    async [Symbol.asyncDispose]() {
      // Twice, as a person in a hurry does: it gives back what it has, so that no sandbox of it is left on the machine.
      for (const pauseMs of [300, 10_000]) {
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
        await Promise.race([exited, sleep(pauseMs)]);
      }
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}
