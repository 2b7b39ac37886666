import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Run } from '#archive/schema.ts';

const launcher = fileURLToPath(new URL('../../services/clade.js', import.meta.url));

/** A data directory of its own, removed at the end. */
export function temporaryHome(): { home: string } & Disposable {
  const home = mkdtempSync(join(tmpdir(), 'clade-test-home-'));
  return { home, [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }) };
}

/** `clade up` as a process of its own, on a free port. */
export interface ServiceProcess extends AsyncDisposable {
  url: string;
  process: ChildProcess;
  /** Everything it printed so far. */
  printed: () => string;
  /** Ends it with a signal and waits. @returns exit code, or null when the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

export async function startService(home: string, env: Record<string, string> = {}): Promise<ServiceProcess> {
  const contact = join(home, 'service.json');
  rmSync(contact, { force: true });
  const child = spawn(process.execPath, [launcher, 'up', '--home', home, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const exited = once(child, 'exit');
  while (!existsSync(contact)) {
    if (child.exitCode !== null) throw new Error(`the service ended before it listened:\n${printed}`);
    await sleep(10);
  }
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
    return child.exitCode;
  };
  const { url } = JSON.parse(readFileSync(contact, 'utf8')) as { url: string };
  return {
    url,
    process: child,
    printed: () => printed,
    end,
    [Symbol.asyncDispose]: async () => void (await end('SIGKILL')),
  };
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
export async function runIn(url: string, runId: string, states: Run['state'][], withinMs = 120_000): Promise<Run> {
  for (let waited = 0; waited < withinMs; waited += 50) {
    const run = (await (await fetch(new URL(`/v1/runs/${runId}`, url))).json()) as Run;
    if (states.includes(run.state)) return run;
    await sleep(50);
  }
  throw new Error(`run ${runId} did not become ${states.join(' or ')} within ${withinMs} ms`);
}
