import { createDrivers } from '#sandbox/drivers.ts';
import type { ExecResult, Sandbox } from '#sandbox/sandbox.ts';
import type { DriverName } from '#sandbox/schema.ts';

const IMAGE = 'clade/base:1';
const drivers = createDrivers();

export async function openSandbox(name: DriverName): Promise<Sandbox> {
  await drivers[name].prepare(IMAGE);
  return drivers[name].open({
    image: IMAGE,
    limits: { cpus: 2, memoryMiB: 1024, pids: 128, diskMiB: 256 },
    deadlineMs: Date.now() + 120_000,
    labels: { owner: `test-${process.pid}`, run: 'none', job: 'none', epoch: 1 },
  });
}

/** Runs a JavaScript module in the sandbox; what it wrote to stdout. @throws Error with its stderr when it fails. */
export async function runModule(sandbox: Sandbox, source: string, env: Record<string, string> = {}): Promise<string> {
  const result = await startModule(sandbox, source, env);
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (result.exitCode !== 0) throw new Error(`exit code ${result.exitCode}: ${text(result.stderr.bytes)}`);
  return text(result.stdout.bytes);
}

export async function startModule(
  sandbox: Sandbox,
  source: string,
  env: Record<string, string> = {},
): Promise<ExecResult> {
  return sandbox.exec(['node', '--input-type=module', '-e', source], {
    env: { ...sandbox.baseEnv, ...env },
    deadlineMs: Date.now() + 60_000,
  });
}
