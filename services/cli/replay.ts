import type { Command } from 'commander';
import { type Replay, replay } from '#services/scheduler/replay.ts';
import { type CommonOptions, command, configOf } from './command.ts';
import { openHome, pickRun } from './open-home.ts';
import { plainLine } from './plain-text.ts';
import type { Terminal } from './terminal.ts';

/** `clade replay`: recomputes every decision of a run from its journal. */
export function replayCommand(terminal: Terminal): Command {
  return command('replay', 'recompute every decision of a run and report the first difference')
    .argument('[run]', 'run id, or latest')
    .action((run: string | undefined, options: CommonOptions) => replayRun(run, options, terminal));
}

async function replayRun(name: string | undefined, { home, json }: CommonOptions, terminal: Terminal): Promise<void> {
  await using archive = await openHome(configOf(terminal, { home }).home);
  const run = pickRun(archive, name);
  const result = replay(archive, run.id) ?? { decisions: 0, firstDifference: null };
  if (result.firstDifference !== null) terminal.exitCode = 1;
  terminal.print(json ? JSON.stringify({ run: run.id, ...result }) : replayText(run.id, result));
}

function replayText(runId: string, { decisions, firstDifference }: Replay): string {
  if (firstDifference === null) return `${runId}: ${decisions} decisions recomputed from the journal, no difference.`;
  const { ordinal, why, recorded, recomputed } = firstDifference;
  return [
    `${runId}: decision ${ordinal} came out differently. ${why}`,
    `  recorded:   ${plainLine(JSON.stringify(recorded), 1000)}`,
    `  recomputed: ${plainLine(JSON.stringify(recomputed), 1000)}`,
  ].join('\n');
}
