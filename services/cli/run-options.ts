import { readFile } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import type { Command } from 'commander';
import { RunSpec } from '#archive/schema.ts';
import { describeIssues } from '#services/api/issues.ts';
import { CladeError } from '#services/errors.ts';
import { asNumber } from './command.ts';

/** The flags that make up a run's spec. */
export interface RunFlags {
  spec?: string;
  name?: string;
  suite?: string;
  task?: string[];
  heldOut?: number;
  splitSeed?: number;
  policy?: string;
  seed?: number;
  slots?: number;
  sandbox?: string;
  model?: string;
  trialModel?: string;
  diagnosisModel?: string;
  editModel?: string;
  usd?: number;
  trials?: number;
  proposals?: number;
  agents?: number;
  hours?: number;
  fruitless?: number;
  allowUnsandboxed?: boolean;
  finalMeasure: boolean;
}

export function withRunOptions(command: Command): Command {
  return command
    .option('--spec <file>', 'the spec as JSON (- for stdin); flags win over it')
    .option('--name <text>', 'what to call the run')
    .option('--suite <name|dir>', 'suite to measure on (default: katas)')
    .option('--task <id...>', 'only these tasks of the suite')
    .option(
      '--held-out <share>',
      'share of the suite that no agent meets before "clade measure" (default: 0)',
      asNumber,
    )
    .option('--split-seed <n>', 'which tasks are held out (default: 1)', asNumber)
    .option('--policy <kind>', 'hgm (default), dgm, greedy or uniform')
    .option('--seed <n>', 'random seed (default: 1)', asNumber)
    .option('--slots <n>', 'jobs under way at once (default: 2)', asNumber)
    .option('--sandbox <driver>', 'auto (default), docker, bubblewrap or process')
    .option('--model <name>', 'model for everything (default: rehearsal)')
    .option('--trial-model <name>', 'model that solves tasks')
    .option('--diagnosis-model <name>', 'model that says what to improve')
    .option('--edit-model <name>', 'model that edits agents')
    .option('--usd <n>', 'budget of model spend in dollars', asNumber)
    .option('--trials <n>', 'budget of trials, without those of the final measure', asNumber)
    .option('--proposals <n>', 'budget of proposals', asNumber)
    .option('--agents <n>', 'largest lineage', asNumber)
    .option('--hours <n>', 'budget of wall-clock hours', asNumber)
    .option('--fruitless <n>', 'end after so many proposals in a row without a child (default: 100)', asNumber)
    .option('--allow-unsandboxed', 'let a real model drive the process driver, which isolates nothing')
    .option('--no-final-measure', 'do not measure seed agent and champion on the rest of the suite at the end');
}

/** The spec that flags, and the file they name, ask for. @throws CladeError `invalid-request` that names the field. */
export async function specOf(flags: RunFlags): Promise<RunSpec> {
  const base = flags.spec === undefined ? {} : await readSpec(flags.spec);
  const parsed = RunSpec.safeParse(merged(base, fieldsOf(flags)));
  if (parsed.success) return parsed.data;
  throw new CladeError('invalid-request', `${describeIssues(parsed.error.issues, 'spec')}.`);
}

function fieldsOf(flags: RunFlags): Record<string, unknown> {
  const { usd, trials, proposals, agents, hours, fruitless, model } = flags;
  return given({
    name: flags.name,
    suite: flags.suite === undefined ? undefined : suitePath(flags.suite),
    tasks: flags.task,
    split: given({ heldOut: flags.heldOut, seed: flags.splitSeed }),
    policy: flags.policy === undefined ? undefined : { kind: flags.policy },
    randomSeed: flags.seed,
    slots: flags.slots,
    sandbox: flags.sandbox,
    allowUnsandboxed: flags.allowUnsandboxed,
    finalMeasure: flags.finalMeasure ? undefined : false,
    models: given({
      trial: flags.trialModel ?? model,
      diagnosis: flags.diagnosisModel ?? model,
      selfEdit: flags.editModel ?? model,
    }),
    budget: given({ usd, trials, proposals, agents, hours, fruitless }),
  });
}

/** A suite's name, or its path such that it means the same to a service that runs in another directory. */
export function suitePath(suite: string): string {
  return suite.includes('/') && !isAbsolute(suite) ? resolve(suite) : suite;
}

/** Fields of `over` win; `models`, `budget` and `split` are joined field by field, and a policy of the same kind keeps its options. */
function merged(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const result = { ...base, ...over };
  for (const key of ['models', 'budget', 'policy', 'split']) {
    const [below, above] = [base[key], over[key]];
    const sameKind = key !== 'policy' || kindOf(below) === kindOf(above);
    if (isRecord(below) && isRecord(above) && sameKind) result[key] = { ...below, ...above };
  }
  return result;
}

async function readSpec(file: string): Promise<Record<string, unknown>> {
  const wrong = (what: string, cause: unknown) =>
    new CladeError('invalid-request', `--spec ${file} ${what}.`, { cause });
  const text = await readFile(file === '-' ? '/dev/stdin' : file, 'utf8').catch((cause: unknown) => {
    throw wrong('cannot be read', cause);
  });
  try {
    const json: unknown = JSON.parse(text);
    if (isRecord(json)) return json;
  } catch (cause) {
    throw wrong(`is not JSON: ${cause instanceof Error ? cause.message : cause}`, cause);
  }
  throw wrong('must hold a JSON object', null);
}

function given(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(policy: unknown): unknown {
  return isRecord(policy) ? policy.kind : undefined;
}
