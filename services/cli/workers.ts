import type { Command } from 'commander';
import { z } from 'zod';
import type { WorkerVerb } from '#services/scheduler/fleet.ts';
import { WorkerView } from '#services/scheduler/worker-view.ts';
import { EMBEDDED } from '#services/worker/fleet.ts';
import { type CommonOptions, command, commandGroup, configOf } from './command.ts';
import { requireService } from './service-client.ts';
import type { Terminal } from './terminal.ts';
import { workerTable } from './workers-text.ts';

const verbs: Record<WorkerVerb, string> = {
  drain: 'let a worker finish what it has, then end',
  cordon: 'let a worker finish what it has, and give it nothing new',
  uncordon: 'have a worker take jobs again; lets one in that was removed',
  remove: 'end a worker now and refuse its name; forget one that is gone',
};

/** `clade workers`: the workers of the running service, and steering them. */
export function workersCommand(terminal: Terminal): Command {
  const list = command('list', 'list the workers: state, slots, what they have').action((options: CommonOptions) =>
    listWorkers(options, terminal),
  );
  const steering = (['drain', 'cordon', 'uncordon', 'remove'] as const).map((verb) =>
    command(verb, verbs[verb])
      .argument('<name>', 'name of the worker')
      .action((name: string, options: CommonOptions) => steer(verb, name, options, terminal)),
  );
  return commandGroup(
    'workers',
    'list, drain, cordon and remove the workers of the running service',
    steering,
  ).addCommand(list, { isDefault: true });
}

async function listWorkers({ home, json }: CommonOptions, terminal: Terminal): Promise<void> {
  const client = await requireService(configOf(terminal, { home }));
  const workers = await client.get('/v1/workers', z.array(WorkerView));
  if (json) return terminal.print(JSON.stringify(workers));
  const elsewhere = workers.filter(({ name }) => name !== EMBEDDED);
  const worksItself = workers.some(({ name, state }) => name === EMBEDDED && state !== 'left');
  if (elsewhere.length > 0) terminal.print(workerTable(elsewhere, { paint: terminal.paint, nowMs: Date.now() }));
  else if (!worksItself) terminal.print(`No worker has come yet. Start one: clade worker --control ${client.url}`);
  if (worksItself) terminal.print('This service works by itself ("clade up"). "clade control" takes workers.');
}

async function steer(verb: WorkerVerb, name: string, { home, json }: CommonOptions, terminal: Terminal): Promise<void> {
  const client = await requireService(configOf(terminal, { home }));
  const path = `/v1/workers/${encodeURIComponent(name)}/${verb}`;
  const worker = await client.post(path, {}, WorkerView.nullable());
  if (json) return terminal.print(JSON.stringify(worker));
  if (worker === null) return terminal.print(`Worker ${name} is forgotten.`);
  const holding = worker.busy === 0 ? '' : `; it holds ${worker.busy} ${worker.busy === 1 ? 'job' : 'jobs'}`;
  terminal.print(`Worker ${worker.name} is ${worker.state}${holding}.`);
}
