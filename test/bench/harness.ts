import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import Docker from 'dockerode';
import { createBubblewrap } from '#sandbox/bubblewrap.ts';
import { createDocker } from '#sandbox/docker/docker.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { leftovers } from './harness/leftovers.ts';
import { overhead } from './harness/overhead.ts';
import { polyglot } from './harness/polyglot.ts';
import type { Bench } from './harness/section.ts';
import { throughput } from './harness/throughput.ts';
import { toolCalls } from './harness/tool-calls.ts';
import { runSections, type Section, say } from './sections.ts';

const sections = new Map<string, Section<Bench>>([
  ['overhead', overhead],
  ['throughput', throughput],
  ['tools', toolCalls],
  ['polyglot', polyglot],
  ['leftovers', leftovers],
]);

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    polyglot: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort(new Error('It was interrupted.')));
const { bench, machine } = await prepare();
await runSections(sections, bench, { only: values.only, json: values.json, machine });

async function prepare(): Promise<{ bench: Bench; machine: string }> {
  const engine = new Docker();
  const docker = await usable(createDocker({ docker: engine }));
  const bubblewrap = await usable(createBubblewrap());
  if (values.polyglot !== undefined && !existsSync(values.polyglot)) {
    throw new Error(`There is no file ${values.polyglot}: --polyglot takes exercises as JSON lines.`);
  }
  const bench: Bench = {
    docker: 'missing' in docker ? docker : { ...docker, engine },
    bubblewrap,
    rounds: values.rounds === undefined ? undefined : Number(values.rounds),
    polyglot: values.polyglot,
    signal: interrupt.signal,
    say,
  };
  const details = [docker, bubblewrap].map((part) => ('missing' in part ? part.missing : part.detail));
  return { bench, machine: `${availableParallelism()} processors; ${details.join('; ')}` };
}

async function usable(driver: SandboxDriver): Promise<{ driver: SandboxDriver; detail: string } | { missing: string }> {
  const { available, detail, remedy } = await driver.diagnose();
  if (available) return { driver, detail };
  return { missing: `${driver.name}: ${detail}${remedy === undefined ? '' : ` (${remedy})`}` };
}
