import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readOwner } from '#archive/owner.ts';
import type { Run } from '#archive/schema.ts';

export const launcher = fileURLToPath(new URL('../services/clade.js', import.meta.url));

/** A data directory of its own, removed at the end. */
export function temporaryHome(): { home: string } & Disposable {
  const home = mkdtempSync(join(tmpdir(), 'clade-test-home-'));
  return { home, [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }) };
}

/** This process's environment without what would change how Clade behaves or prints. */
export function plainEnvironment(): Record<string, string | undefined> {
  const changes = /^(CLADE_|OPENAI_|FORCE_COLOR$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !changes.test(name)));
}

/** `clade up` as a process of its own, on a free port. */
export interface ServiceProcess extends AsyncDisposable {
  url: string;
  /** What it printed so far, to stdout and stderr. */
  printed: () => string;
  /** Ends it with a signal and waits. @returns exit code, or null when the signal ended it, and how long it took. */
  end(signal: NodeJS.Signals): Promise<{ exitCode: number | null; tookMs: number }>;
}

interface ServiceStart {
  /** Signals go to it and to all that it has started, its git too. */
  ownGroup?: boolean;
  /** Default `up`. */
  role?: 'up' | 'control';
  /** Default: any free one. */
  port?: string;
}

/** Starts the service and waits until it listens. */
export async function startService(
  home: string,
  env: Record<string, string> = {},
  { ownGroup = false, role = 'up', port = '0' }: ServiceStart = {},
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [launcher, role, '--home', home, '--port', port], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...plainEnvironment(), ...env },
    detached: ownGroup,
  });
  const kill = (signal: NodeJS.Signals) => (ownGroup ? process.kill(-child.pid!, signal) : child.kill(signal));
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    const began = performance.now();
    if (child.exitCode === null && child.signalCode === null) kill(signal);
    await exited;
    return { exitCode: child.exitCode, tookMs: performance.now() - began };
  };
  const url = await listening(home, child, () => printed);
  return { url, printed: () => printed, end, [Symbol.asyncDispose]: async () => void (await end('SIGKILL')) };
}

/** A note of a service that was killed may still be there; it names another process. */
async function listening(home: string, child: ChildProcess, printed: () => string): Promise<string> {
  for (;;) {
    const owner = readOwner(home);
    if (owner?.pid === child.pid && owner?.url) return owner.url;
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the service ended before it listened:\n${printed()}`);
    await sleep(10);
  }
}

/** Starts a run over HTTP. */
export async function postRun(url: string, spec: object): Promise<Run> {
  const response = await fetch(new URL('/v1/runs', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(spec),
  });
  if (response.status !== 201) throw new Error(`POST /v1/runs: ${response.status} ${await response.text()}`);
  return (await response.json()) as Run;
}

/** Waits until a run is in one of these states. */
export async function runIn(url: string, runId: string, states: Run['state'][], withinMs = 300_000): Promise<Run> {
  for (let waited = 0; waited < withinMs; waited += 50) {
    const run = (await (await fetch(new URL(`/v1/runs/${runId}`, url))).json()) as Run;
    if (states.includes(run.state)) return run;
    await sleep(50);
  }
  throw new Error(`run ${runId} did not become ${states.join(' or ')} within ${withinMs} ms`);
}
