import type { Command } from 'commander';
import type { RunSpec } from '#archive/schema.ts';
import { modelViews } from '#services/api/model-view.ts';
import { checkModelsReady } from '#services/api/run-request.ts';
import { RunView } from '#services/api/schema.ts';
import { compose } from '#services/compose.ts';
import type { Config } from '#services/config.ts';
import { CladeError } from '#services/errors.ts';
import { type CommonOptions, command, configOf, homeFlag } from './command.ts';
import { ENDING, embeddedRun, follow, remoteRun } from './follow.ts';
import { onInterrupt } from './interrupt.ts';
import { type RunFlags, specOf, withRunOptions } from './run-options.ts';
import { runText } from './run-text.ts';
import { findService, type ServiceClient } from './service-client.ts';
import type { Terminal } from './terminal.ts';
import { isOver } from './words.ts';

interface RunOptions extends CommonOptions, RunFlags {
  detach?: boolean;
}

/** `clade run`: begins a run, in the service of the data directory or, without one, in this process. */
export function runCommand(terminal: Terminal): Command {
  return withRunOptions(command('run', 'begin a run and follow it to its end'))
    .option('--detach', 'with a running service: do not follow')
    .action(async (options: RunOptions) => {
      const config = configOf(terminal, { home: options.home });
      const spec = await specOf(options);
      const client = await findService(config);
      const how = { json: options.json ?? false, detach: options.detach ?? false };
      if (client !== null) return runThere(client, spec, terminal, how);
      if (how.detach)
        throw new CladeError(
          'no-service',
          'Without a running service a run lasts as long as its command: leave out --detach, or start "clade up" first.',
        );
      return runHere(config, spec, terminal, how.json);
    });
}

async function runThere(
  client: ServiceClient,
  spec: RunSpec,
  terminal: Terminal,
  { json, detach }: { json: boolean; detach: boolean },
): Promise<void> {
  const { id, ...begun } = await client.post('/v1/runs', spec, RunView);
  if (detach) return terminal.print(json ? JSON.stringify({ id, ...begun }) : id);
  terminal.say(`Run ${id} goes on in the service at ${client.url}.`);
  using interrupt = onInterrupt(terminal, null);
  using source = remoteRun(client, id);
  const run = await follow(source, terminal, { json, signal: interrupt.signal });
  if (!interrupt.signal.aborted) return report(run, terminal, json);
  terminal.exitCode = interrupt.exitCode();
  terminal.say(`Run ${id} goes on without this window. "clade status" shows it, "clade stop ${id}" ends it.`);
  if (json) terminal.print(JSON.stringify(run));
}

async function runHere(config: Config, spec: RunSpec, terminal: Terminal, json: boolean): Promise<void> {
  checkModelsReady(spec, modelViews(config));
  using interrupt = onInterrupt(terminal, null);
  let run: RunView;
  {
    await using service = await compose(config);
    const { id } = await service.scheduler.createRun(spec, Date.now());
    terminal.say(`Run ${id} goes on in this process; its data is in ${config.home}.`);
    run = await follow(embeddedRun(service, id), terminal, { json, signal: interrupt.signal });
    if (interrupt.signal.aborted) terminal.say(ENDING);
  }
  if (isOver(run)) return report(run, terminal, json);
  terminal.exitCode = interrupt.signal.aborted ? interrupt.exitCode() : 1;
  terminal.say(
    `Run ${run.id} is kept${run.reason === null ? '' : ` (${run.reason})`}. "clade up${homeFlag(terminal, config.home)}" goes on with it.`,
  );
  if (json) terminal.print(JSON.stringify(run));
}

function report(run: RunView, terminal: Terminal, json: boolean): void {
  if (run.state === 'failed') terminal.exitCode = 1;
  terminal.print(json ? JSON.stringify(run) : runText(run, terminal));
}
