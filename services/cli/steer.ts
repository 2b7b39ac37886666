import type { Command } from 'commander';
import { RunView } from '#services/api/schema.ts';
import { type CommonOptions, command, configOf } from './command.ts';
import { openHome, pickRun } from './open-home.ts';
import { requireService } from './service-client.ts';
import type { Terminal } from './terminal.ts';

const verbs = {
  pause: 'let the work under way end and begin nothing new',
  resume: 'go on with a paused run',
  stop: 'end a run for good; what was settled stays',
} as const;

/** `clade pause`, `clade resume` and `clade stop`: asked of the running service. */
export function steerCommand(verb: keyof typeof verbs, terminal: Terminal): Command {
  return command(verb, verbs[verb])
    .argument('[run]', 'run id, or latest')
    .action(async (name: string | undefined, options: CommonOptions) => {
      const config = configOf(terminal, { home: options.home });
      const id = await runId(config.home, name);
      const client = await requireService(config);
      const run = await client.post(`/v1/runs/${id}/${verb}`, {}, RunView);
      terminal.print(options.json ? JSON.stringify(run) : `Run ${run.id} is ${run.state}.`);
    });
}

async function runId(home: string, name: string | undefined): Promise<string> {
  await using archive = await openHome(home);
  return pickRun(archive, name).id;
}
