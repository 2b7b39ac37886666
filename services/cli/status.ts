import type { Command } from 'commander';
import { z } from 'zod';
import { readOwner } from '#archive/owner.ts';
import type { RunView } from '#services/api/schema.ts';
import { runView } from '#services/api/view.ts';
import type { Config } from '#services/config.ts';
import { readFigures } from '#services/scheduler/run-figures.ts';
import { WorkerView } from '#services/scheduler/worker-view.ts';
import { EMBEDDED } from '#services/worker/fleet.ts';
import { type CommonOptions, command, configOf } from './command.ts';
import { openHome, pickRun } from './open-home.ts';
import { plainLine } from './plain-text.ts';
import { runText } from './run-text.ts';
import { findService } from './service-client.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { duration, ofLimit, paintScore, paintState, shortId, spendText } from './words.ts';
import { fleetLine } from './workers-text.ts';

/** `clade status`: all runs, or one. */
export function statusCommand(terminal: Terminal): Command {
  return command('status', 'list runs, or show one')
    .argument('[run]', 'run id, or latest')
    .action((run: string | undefined, options: CommonOptions) => status(run, options, terminal));
}

async function status(name: string | undefined, { home, json }: CommonOptions, terminal: Terminal): Promise<void> {
  const config = configOf(terminal, { home });
  await using archive = await openHome(config.home);
  const chosen = name === undefined ? archive.runs.list() : [pickRun(archive, name)];
  const runs = chosen.map((run) => runView(archive, run, readFigures(archive, run, Date.now())));
  if (json) return terminal.print(JSON.stringify(name === undefined ? runs : runs[0]));
  if (name !== undefined) return terminal.print(runs.map((run) => runText(run, terminal)).join('\n'));
  terminal.print(ownerText(config.home));
  const workers = await workersElsewhere(config);
  if (workers.length > 0) terminal.print(fleetLine(workers));
  if (runs.length > 0) terminal.print(runTable(runs, terminal));
  else terminal.print('There is no run yet. "clade run" begins one.');
}

/** Those of the running service, but for its own. Runs are shown as well when it does not tell. */
async function workersElsewhere(config: Config): Promise<WorkerView[]> {
  const client = await findService(config);
  const workers = await client?.get('/v1/workers', z.array(WorkerView), AbortSignal.timeout(3_000)).catch(() => []);
  return (workers ?? []).filter(({ name }) => name !== EMBEDDED);
}

function ownerText(home: string): string {
  const owner = readOwner(home);
  if (owner === null) return `No service runs for ${home}.`;
  return owner.url === null
    ? `Process ${owner.pid} works in ${home}, and listens nowhere.`
    : `Service: ${owner.url} (process ${owner.pid})`;
}

function runTable(runs: RunView[], { paint }: Terminal): string {
  return table(
    ['run', 'state', 'suite', 'policy', 'agents>', 'proposals>', 'trials>', 'spent>', 'time>', 'champion', ''],
    runs.map((run) => [
      run.id,
      paintState(paint, run.state),
      plainLine(run.spec.suite, 30),
      run.spec.policy.kind,
      String(run.counts.agents),
      ofLimit(run.counts.proposals, run.budget.proposals?.limit),
      ofLimit(run.counts.trialsSettled, run.budget.trials?.limit),
      spendText(run),
      duration((run.endedAt ?? Date.now()) - run.createdAt),
      run.champion === null ? '-' : shortId(run.champion.id),
      run.champion === null ? '' : paintScore(paint, run.champion.score),
    ]),
  );
}
