import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Archive } from '#archive/archive.ts';
import { type AgentId, type Proposal, type RunId, RunSpec, type RunState } from '#archive/schema.ts';
import { createDrivers } from '#sandbox/drivers.ts';
import { findRun } from '#services/api/find.ts';
import { describeIssues } from '#services/api/issues.ts';
import { agentView } from '#services/api/view.ts';
import { compose } from '#services/compose.ts';
import type { Config } from '#services/config.ts';
import { CladeError } from '#services/errors.ts';
import { replay } from '#services/scheduler/replay.ts';
import { asCount, asPositiveCount, type CommonOptions, command, followingConfig, typed } from './command.ts';
import { type Summary, summaryOf } from './demo-summary.ts';
import { agentTable, summaryText } from './demo-text.ts';
import { ENDING, embeddedRun, follow } from './follow.ts';
import { onInterrupt } from './interrupt.ts';
import type { Terminal } from './terminal.ts';

interface DemoFlags extends CommonOptions {
  seed: number;
  slots: number;
  trials: number;
  proposals: number;
  sandbox?: string;
}

/**
 * Enough for a lineage of several generations, and over within about a minute on two cores. The larger alpha breeds more for
 * as many trials than a run of days would: what an agent can do shows in few trials here, since the rehearsal
 * answers the same question the same way.
 */
const BUDGET = { trials: 92, proposals: 40 };
const ALPHA = 0.7;

/** What the demo came to. */
interface Outcome {
  summary: Summary & {
    state: RunState;
    reason: string | null;
    replay: { decisions: number; differences: number };
    home: string;
    sandbox: string;
    slots: number;
  };
  agents: ReturnType<typeof agentView>[];
}

/** `clade demo`: evolves the seed agent with the rehearsal model, offline, and says what came of it. */
export function demoCommand(terminal: Terminal): Command {
  return command('demo', 'evolve the seed agent with the rehearsal model: offline, without a key, in about a minute')
    .option('--seed <n>', 'random seed', asCount, 1)
    .option('--slots <n>', 'jobs under way at once; with 1 the same seed gives the same lineage', asPositiveCount, 2)
    .option('--trials <n>', 'budget of trials', asCount, BUDGET.trials)
    .option('--proposals <n>', 'budget of proposals', asCount, BUDGET.proposals)
    .option('--sandbox <driver>', 'bubblewrap, docker or process (default: bubblewrap where it works)')
    .action((options: DemoFlags) => demo(options, terminal));
}

async function demo(flags: DemoFlags, terminal: Terminal): Promise<void> {
  const spec = await demoSpec(flags);
  const config = followingConfig(terminal, flags.home);
  const home = flags.home === undefined ? await freshHome(config.home) : config.home;
  using interrupt = onInterrupt(terminal, null);
  terminal.say(
    `A demo of its own directory: ${typed(home)} (${spec.sandbox} sandboxes, ${spec.slots} slots, seed ${spec.randomSeed}).`,
  );
  const outcome = await evolve({ ...config, home }, spec, terminal, {
    json: flags.json ?? false,
    signal: interrupt.signal,
  });
  const { state, reason } = outcome.summary;
  if (flags.json) terminal.print(JSON.stringify(outcome.summary));
  if (state !== 'finished') {
    terminal.exitCode = interrupt.signal.aborted ? interrupt.exitCode() : 1;
    return terminal.say(
      `The demo was not finished${reason === null ? '' : ` (${reason})`}. "npx clade up --home ${typed(home)}" goes on with it.`,
    );
  }
  if (flags.json) return;
  const { paint } = terminal;
  terminal.print(
    [
      agentTable(outcome.agents, outcome.summary.champion.agent, paint),
      '',
      summaryText(outcome.summary, paint),
      '',
      nextSteps(outcome, home),
    ].join('\n'),
  );
}

async function evolve(
  config: Config,
  spec: RunSpec,
  terminal: Terminal,
  how: { json: boolean; signal: AbortSignal },
): Promise<Outcome> {
  await using service = await compose(config);
  const { id } = await service.scheduler.createRun(spec, Date.now());
  const { state, reason, champion } = await follow(embeddedRun(service, id), terminal, how);
  if (how.signal.aborted) terminal.say(ENDING);
  const { archive } = service;
  return {
    summary: {
      ...summaryIn(archive, id, champion?.id ?? null),
      state,
      reason,
      home: config.home,
      sandbox: spec.sandbox,
      slots: spec.slots,
    },
    agents: archive.agents.lineage(id).map(agentView),
  };
}

function summaryIn(archive: Archive, id: RunId, champion: AgentId | null) {
  const lineage = archive.agents.lineage(id);
  const { decisions, firstDifference } = replay(archive, id) ?? { decisions: 0, firstDifference: null };
  const summary = summaryOf({
    run: findRun(archive, id),
    lineage,
    proposals: allProposals(archive, id),
    trialsOf: (agent) => archive.trials.list(id, { agent }),
    champion: champion ?? `${id}-a1`,
  });
  return { ...summary, replay: { decisions, differences: firstDifference === null ? 0 : 1 } };
}

function allProposals(archive: Archive, id: RunId): Proposal[] {
  return archive.proposals.list(id, { limit: 10_000 });
}

/** @throws CladeError `invalid-request` for flags out of range. */
async function demoSpec({ seed, slots, trials, proposals, sandbox }: DemoFlags): Promise<RunSpec> {
  const parsed = RunSpec.safeParse({
    name: 'demo',
    suite: 'katas',
    policy: { kind: 'hgm', alpha: ALPHA },
    randomSeed: seed,
    slots,
    sandbox: sandbox ?? (await quickSandbox()),
    budget: { trials, proposals },
  });
  if (parsed.success) return parsed.data;
  throw new CladeError('invalid-request', `${describeIssues(parsed.error.issues, 'demo')}.`);
}

/** Docker would first build an image. The rehearsal model runs nothing one would not run by hand, so a plain process will do. */
async function quickSandbox(): Promise<'bubblewrap' | 'process'> {
  const { available } = await createDrivers().bubblewrap.diagnose();
  return available ? 'bubblewrap' : 'process';
}

/** A new numbered directory below the data directory: demos never touch what is there. */
async function freshHome(base: string): Promise<string> {
  const demos = join(base, 'demos');
  const unwritable = (cause: unknown) =>
    new CladeError(
      'unwritable',
      `${demos} cannot be created: ${cause instanceof Error ? cause.message : cause}. Choose another place with --home.`,
      { cause },
    );
  try {
    await mkdir(demos, { recursive: true });
  } catch (cause) {
    throw unwritable(cause);
  }
  for (let number = 1; ; number += 1) {
    const home = join(demos, String(number));
    try {
      await mkdir(home);
      return home;
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw unwritable(cause);
    }
  }
}

function nextSteps({ summary: { champion, replay: replayed } }: Outcome, home: string): string {
  const at = `--home ${typed(home)}`;
  const isSeed = champion.generation === 0;
  const commands: [string, string][] = [
    [`npx clade tree ${at}`, 'the lineage'],
    ...(isSeed
      ? []
      : [
          [
            `npx clade diff a${champion.agent.split('-a')[1]} --against seed ${at}`,
            'what the champion changed',
          ] satisfies [string, string],
        ]),
    [`npx clade show a${champion.agent.split('-a')[1]} ${at}`, 'its trials'],
    [
      `npx clade replay ${at}`,
      `recomputes the ${replayed.decisions} decisions (now: ${replayed.differences} differences)`,
    ],
    [`git --git-dir ${typed(join(home, 'agents.git'))} log --graph --oneline --all`, 'agents are commits'],
  ];
  const width = Math.max(...commands.map(([text]) => text.length));
  return ['Look further:', ...commands.map(([text, what]) => `  ${text.padEnd(width)}  ${what}`)].join('\n');
}
