import type { Command } from 'commander';
import { agentView } from '#services/api/view.ts';
import { readFigures } from '#services/scheduler/run-figures.ts';
import { asCount, type CommonOptions, command, configOf } from './command.ts';
import { drawTree } from './lineage-tree.ts';
import { openHome, pickRun } from './open-home.ts';
import type { Terminal } from './terminal.ts';

interface TreeFlags extends CommonOptions {
  all?: boolean;
  siblings: number;
}

/** `clade tree`: the lineage of a run. */
export function treeCommand(terminal: Terminal): Command {
  return command('tree', 'draw the lineage of a run')
    .argument('[run]', 'run id, or latest')
    .option('--siblings <n>', 'children shown below one parent', asCount, 8)
    .option('--all', 'fold nothing')
    .action((run: string | undefined, options: TreeFlags) => tree(run, options, terminal));
}

async function tree(
  name: string | undefined,
  { home, json, all, siblings }: TreeFlags,
  terminal: Terminal,
): Promise<void> {
  await using archive = await openHome(configOf(terminal, { home }).home);
  const run = pickRun(archive, name);
  const agents = archive.agents.lineage(run.id).map(agentView);
  const { champion } = readFigures(archive, run, Date.now());
  if (json) return terminal.print(JSON.stringify({ run: run.id, champion, agents }));
  const options = {
    champion,
    paint: terminal.paint,
    columns: terminal.columns(),
    siblings: all ? Number.POSITIVE_INFINITY : siblings,
  };
  terminal.print([`${terminal.paint.bold(run.id)}  ${agents.length} agents`, ...drawTree(agents, options)].join('\n'));
}
