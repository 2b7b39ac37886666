import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { type Archive, openArchive } from '#archive/archive.ts';
import type { RunId, TrialId } from '#archive/schema.ts';
import { decide } from '#services/scheduler/decide.ts';
import { createPolicy } from '#services/scheduler/policies/policies.ts';
import { applyEvent, emptyStanding, type RunStanding } from '#services/scheduler/standing.ts';
import { fillArchive, type Size } from './archive-filling.ts';

const sizes: Size[] = [
  { agents: 100, trials: 10_000, open: 4_000 },
  { agents: 1_000, trials: 100_000, open: 4_000 },
  { agents: 10_000, trials: 1_000_000, open: 4_000 },
];

/** Of several calls, by the clock; and the processor time of one on average, which other work on the machine hardly changes. */
interface Spread {
  median: number;
  p99: number;
  cpu: number;
}

/** What one size came to. A decision is the policy hgm choosing a parent among all agents, with its digest. */
interface Figures {
  agents: number;
  trials: number;
  buildSeconds: number;
  foldSeconds: number;
  decisionMs: Spread;
  settlesPerSecond: number;
  settleMs: Spread;
  lineageMs: Spread;
}

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const figures: Figures[] = [];
for (const size of sizes) figures.push(await measure(size));
console.log(table(figures));
if (values.json) console.log(JSON.stringify({ sizes: figures, ratios: ratios(figures) }));

async function measure(size: Size): Promise<Figures> {
  const home = mkdtempSync(join(tmpdir(), 'clade-bench-'));
  try {
    say(`${size.agents} agents: building an archive of ${size.trials} trials`);
    const [runId, buildMs] = await timed(() => fillArchive(home, size));
    await using archive = await openArchive(home);
    say(`${size.agents} agents: folding its events`);
    const [standing, foldMs] = await timed(async () => fold(archive, runId));
    say(`${size.agents} agents: measuring`);
    const lineage = sample(30, () => archive.agents.lineage(runId), 5);
    const decision = decisions(archive, runId, standing);
    const settle = settles(archive, runId, size);
    return {
      agents: size.agents,
      trials: size.trials,
      buildSeconds: buildMs / 1000,
      foldSeconds: foldMs / 1000,
      decisionMs: spread(decision),
      settlesPerSecond: (1000 * settle.ms.length) / settle.ms.reduce((sum, ms) => sum + ms, 0),
      settleMs: spread(settle),
      lineageMs: spread(lineage),
    };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function fold(archive: Archive, runId: RunId): RunStanding {
  const standing = emptyStanding();
  for (let seq = 0; ; ) {
    const events = archive.events.after({ runId, seq });
    for (const event of events) applyEvent(standing, event);
    const last = events.at(-1);
    if (!last) return standing;
    seq = last.seq;
  }
}

/** Both kinds of hgm's decisions by turns: alpha = 1 makes it breed, alpha = 0 measure. */
function decisions(archive: Archive, runId: RunId, standing: RunStanding): Sampled {
  const run = archive.runs.get(runId);
  if (!run) throw new Error(`There is no run ${runId}.`);
  const policies = [0, 1].map((alpha) => {
    return createPolicy({ kind: 'hgm', alpha, coolDown: true, championPercentile: 0.01, firstChildren: 0 });
  });
  const { spec } = run;
  return sample(400, (i) => decide({ runId, policy: policies[i % 2]!, standing, spec, nowMs: i, asOfSeq: i }), 50);
}

/** Settles trials of agents all over the tree, each in its own durable transaction. */
function settles(archive: Archive, runId: RunId, { trials, open }: Size): Sampled {
  const result = { kind: 'trial' as const, outcome: 'resolved' as const, y: 1, reason: 'All tests pass.', patch: null };
  const rest = { transcript: '', graderLog: null, solveMs: 60_000, gradeMs: 3_000 };
  const digest = 'a'.repeat(64);
  return sample(open, (i) => {
    const jobId: TrialId = `${runId}-t${trials + 1 + i}`;
    const blobs = { patch: digest, transcript: digest, graderLog: digest };
    if (!archive.trials.settle({ jobId, epoch: 1 }, { ...result, ...rest }, blobs, i))
      throw new Error(`${jobId} did not settle.`);
  });
}

interface Sampled {
  ms: number[];
  cpuMs: number;
}

/** Times `count` calls one by one. Where calls may be repeated, `warmUp` of them go before and are not counted. */
function sample(count: number, body: (index: number) => unknown, warmUp = 0): Sampled {
  for (let index = 0; index < warmUp; index += 1) body(index);
  const cpu = process.cpuUsage();
  const ms = Array.from({ length: count }, (_, index) => {
    const begun = performance.now();
    body(index);
    return performance.now() - begun;
  });
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuMs: (user + system) / 1000 / count };
}

async function timed<T>(body: () => Promise<T>): Promise<[T, number]> {
  const begun = performance.now();
  return [await body(), performance.now() - begun];
}

function spread({ ms, cpuMs }: Sampled): Spread {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  return { median: at(0.5), p99: at(0.99), cpu: cpuMs };
}

/** Each size's processor times over those of the size before, ten times smaller. */
function ratios(all: readonly Figures[]): { agents: number; decision: number; settle: number; lineage: number }[] {
  return all.slice(1).map((size, i) => {
    const before = all[i]!;
    return {
      agents: size.agents / before.agents,
      decision: size.decisionMs.cpu / before.decisionMs.cpu,
      settle: size.settleMs.cpu / before.settleMs.cpu,
      lineage: size.lineageMs.cpu / before.lineageMs.cpu,
    };
  });
}

function table(all: readonly Figures[]): string {
  const shown = new Table({
    head: ['', ...all.map(({ agents }) => `${agents} agents`)],
    style: { head: [], border: [] },
  });
  const row = (name: string, cell: (figures: Figures) => string) => shown.push([name, ...all.map(cell)]);
  row('trials', ({ trials }) => `${trials}`);
  row('decision: median, p99, cpu', ({ decisionMs }) => shownSpread(decisionMs));
  row('settle: median, p99, cpu', ({ settleMs }) => shownSpread(settleMs));
  row('durable settles per second', ({ settlesPerSecond }) => settlesPerSecond.toFixed(0));
  row('read the lineage: median, p99, cpu', ({ lineageMs }) => shownSpread(lineageMs));
  row('fold all events', ({ foldSeconds }) => `${foldSeconds.toFixed(2)} s`);
  row('build the archive', ({ buildSeconds }) => `${buildSeconds.toFixed(1)} s`);
  const steps = ratios(all);
  const times = (pick: (step: (typeof steps)[number]) => number) => [
    '',
    ...steps.map((step) => `x ${pick(step).toFixed(2)}`),
  ];
  shown.push(['decision: cpu over the size before', ...times(({ decision }) => decision)]);
  shown.push(['settle: cpu over the size before', ...times(({ settle }) => settle)]);
  shown.push(['lineage: cpu over the size before', ...times(({ lineage }) => lineage)]);
  return shown.toString();
}

function shownSpread({ median, p99, cpu }: Spread): string {
  return `${median.toFixed(2)}, ${p99.toFixed(2)}, ${cpu.toFixed(2)} ms`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
