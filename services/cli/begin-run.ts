import type { RunSpec } from '#archive/schema.ts';
import { modelViews } from '#services/api/model-view.ts';
import { checkModelsReady } from '#services/api/run-request.ts';
import { RunView } from '#services/api/schema.ts';
import { compose } from '#services/compose.ts';
import type { Config } from '#services/config.ts';
import { CladeError } from '#services/errors.ts';
import { homeFlag } from './command.ts';
import { ENDING, embeddedRun, follow, remoteRun } from './follow.ts';
import { onInterrupt } from './interrupt.ts';
import { noticeLine } from './live-view.ts';
import { findService, type ServiceClient } from './service-client.ts';
import type { Terminal } from './terminal.ts';
import { isOver } from './words.ts';

export interface Following {
  json: boolean;
  /** Do not follow; only where a service runs. */
  detach: boolean;
  /** Says what came of a run that is over, or was asked for as it is (`json`). */
  report: (run: RunView) => void | Promise<void>;
}

/**
 * Begins a run in the service of the data directory or, without one, in this process, and follows it to its end.
 * @throws CladeError `no-service` for `detach` without a service.
 */
export async function beginRun(config: Config, spec: RunSpec, terminal: Terminal, how: Following): Promise<void> {
  const client = await findService(config);
  if (client !== null) return beginThere(client, spec, terminal, how);
  if (how.detach)
    throw new CladeError(
      'no-service',
      'Without a running service a run lasts as long as its command: leave out --detach, or start "clade up" first.',
    );
  return beginHere(config, spec, terminal, how);
}

async function beginThere(
  client: ServiceClient,
  spec: RunSpec,
  terminal: Terminal,
  { json, detach, report }: Following,
): Promise<void> {
  const { id, ...begun } = await client.post('/v1/runs', spec, RunView);
  if (detach) {
    for await (const one of client.events(id, { afterSeq: 0, follow: false, signal: AbortSignal.timeout(5_000) })) {
      const warning = one.kind === 'event' ? noticeLine(one.event) : null;
      if (warning !== null) terminal.say(warning);
    }
    return terminal.print(json ? JSON.stringify({ id, ...begun }) : id);
  }
  terminal.say(`Run ${id} goes on in the service at ${client.url}.`);
  using interrupt = onInterrupt(terminal, null);
  using source = remoteRun(client, id);
  const run = await follow(source, terminal, { json, signal: interrupt.signal });
  if (!interrupt.signal.aborted) return reported(run, terminal, report);
  terminal.exitCode = interrupt.exitCode();
  terminal.say(`Run ${id} goes on without this window. "clade status" shows it, "clade stop ${id}" ends it.`);
  if (json) terminal.print(JSON.stringify(run));
}

async function beginHere(
  config: Config,
  spec: RunSpec,
  terminal: Terminal,
  { json, report }: Following,
): Promise<void> {
  checkModelsReady(spec, modelViews(config));
  using interrupt = onInterrupt(terminal, null);
  let run: RunView;
  {
    await using service = await compose(config);
    const { id } = await service.scheduler.createRun(spec, Date.now());
    terminal.say(`Run ${id} goes on in this process; its data is in ${config.home}.`);
    const others = service.archive.runs.list().filter((other) => other.id !== id && !isOver(other));
    if (others.length > 0) {
      const named = others.map((other) => `${other.id} (${other.state})`).join(', ');
      terminal.say(`Unfinished runs of this data directory go on beside it: ${named}.`);
    }
    run = await follow(embeddedRun(service, id), terminal, { json, signal: interrupt.signal });
    if (interrupt.signal.aborted) terminal.say(ENDING);
  }
  if (isOver(run)) return reported(run, terminal, report);
  terminal.exitCode = interrupt.signal.aborted ? interrupt.exitCode() : 1;
  terminal.say(
    `Run ${run.id} is kept${run.reason === null ? '' : ` (${run.reason})`}. "clade up${homeFlag(terminal, config.home)}" goes on with it.`,
  );
  if (json) terminal.print(JSON.stringify(run));
}

async function reported(run: RunView, terminal: Terminal, report: Following['report']): Promise<void> {
  if (run.state === 'failed') terminal.exitCode = 1;
  await report(run);
}
