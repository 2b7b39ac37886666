import { execFile } from 'node:child_process';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { createDrivers } from '#sandbox/drivers.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { modelViews } from '#services/api/model-view.ts';
import type { ModelView } from '#services/api/schema.ts';
import type { Config } from '#services/config.ts';
import { SuiteShelf } from '#services/suite-shelf.ts';
import type { Gpu } from '#services/worker/fleet.ts';
import { type CommonOptions, command, configOf } from './command.ts';
import { checkFleet, checkRedis } from './doctor-fleet.ts';
import { checkGpus, checkRuns, lackingGpus } from './doctor-gpus.ts';
import { plainLine } from './plain-text.ts';
import type { Terminal } from './terminal.ts';

/** One thing that Clade needs or can use. `needed`: without it (or, of drivers, without any) nothing works. */
export interface Check {
  area: 'node' | 'git' | 'disk' | 'sandbox' | 'gpu' | 'model' | 'suite' | 'redis' | 'worker' | 'run';
  name: string;
  ok: boolean;
  detail: string;
  remedy: string | null;
}

/** `clade doctor`: what is here, what is missing, and how to get it. */
export function doctorCommand(terminal: Terminal): Command {
  return command('doctor', 'say what works here, what is missing, and how to get it').action((options: CommonOptions) =>
    doctor(options, terminal),
  );
}

async function doctor({ home, json }: CommonOptions, terminal: Terminal): Promise<void> {
  const config = configOf(terminal, { home });
  const drivers = Object.values(createDrivers());
  const gpus = await checkGpus(config, drivers);
  const checks = (
    await Promise.all([
      [checkNode()],
      [await checkGit()],
      [await checkDisk(config)],
      checkDrivers(drivers),
      gpus.checks,
      checkModels(config),
      checkSuites(config, gpus.found.gpus),
      checkRedis(config),
      checkFleet(config),
      checkRuns(config),
    ])
  ).flat();
  const works = isWorking(checks);
  if (!works) terminal.exitCode = 1;
  if (json) return terminal.print(JSON.stringify({ works, checks }));
  for (const check of checks) terminal.print(checkText(check, terminal));
  terminal.print(
    works ? '\nClade works here. Try "npm run demo".' : '\nClade cannot work here yet; see what is missing above.',
  );
}

/** Runs need a Node, git, and at least one way to run an agent. */
function isWorking(checks: Check[]): boolean {
  const okIn = (area: Check['area']) => checks.some((check) => check.area === area && check.ok);
  return okIn('node') && okIn('git') && okIn('sandbox') && okIn('suite');
}

function checkNode(): Check {
  return { area: 'node', name: 'node', ok: true, detail: process.version, remedy: null };
}

async function checkGit(): Promise<Check> {
  const found = await promisify(execFile)('git', ['--version']).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
  const remedy =
    found === null ? 'Install git with the package manager of this machine, for example: apt-get install git' : null;
  return { area: 'git', name: 'git', ok: found !== null, detail: found ?? 'not found', remedy };
}

async function checkDisk({ home, minFreeMiB }: Config): Promise<Check> {
  const freeMiB = Math.floor((await freeBytes(home)) / 2 ** 20);
  const ok = freeMiB >= minFreeMiB;
  const remedy = ok ? null : `Runs pause below ${minFreeMiB} MiB: make room, or choose another --home.`;
  return { area: 'disk', name: home, ok, detail: `${freeMiB} MiB free`, remedy };
}

/** Free bytes where a directory is, or would be. */
async function freeBytes(directory: string): Promise<number> {
  const found = await statfs(directory).catch(() => null);
  if (found !== null) return found.bavail * found.bsize;
  return dirname(directory) === directory ? 0 : freeBytes(dirname(directory));
}

function checkDrivers(drivers: SandboxDriver[]): Promise<Check[]> {
  return Promise.all(
    drivers.map(async (driver): Promise<Check> => {
      const { available, detail, remedy, enforces } = await driver.diagnose();
      const limits = Object.entries(enforces)
        .filter(([, enforced]) => enforced)
        .map(([name]) => name);
      const says = available ? `${detail}; enforces ${limits.join(', ') || 'nothing'}` : detail;
      return { area: 'sandbox', name: driver.name, ok: available, detail: says, remedy: remedy ?? null };
    }),
  );
}

function checkModels(config: Config): Check[] {
  return modelViews(config).map((model: ModelView) => ({
    area: 'model',
    name: model.name,
    ok: model.ready,
    detail: `${model.model}, $${model.inputUsdPerMTok} in and $${model.outputUsdPerMTok} out per million tokens`,
    remedy: model.missing,
  }));
}

async function checkSuites({ home, gpus: { share } }: Config, gpus: readonly Gpu[]): Promise<Check[]> {
  try {
    const shelf = new SuiteShelf(home);
    const checks: Check[] = [];
    for (const { name, title, tasks } of await shelf.list()) {
      const lacking = lackingGpus(await shelf.open(name), gpus, share);
      const detail = `${tasks} tasks${lacking === null ? '' : ` (${lacking})`}: ${title}`;
      checks.push({ area: 'suite', name, ok: tasks > 0, detail, remedy: null });
    }
    return checks;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return [{ area: 'suite', name: 'suites', ok: false, detail, remedy: 'Mend or remove the suite that is named.' }];
  }
}

function checkText({ area, name, ok, detail, remedy }: Check, { paint }: Terminal): string {
  const mark = ok ? paint.green('✓') : paint.yellow('✗');
  const what = `${mark} ${area.padEnd(8)} ${plainLine(name, 60).padEnd(12)}  ${plainLine(detail)}`;
  return remedy === null ? what : `${what}\n             ${paint.dim(`→ ${plainLine(remedy, 400)}`)}`;
}
