import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { CallRole, ProposalOutcome, RunSpec, ViabilityStep } from '#archive/schema.ts';
import type { Task } from '#benchmarks/schema.ts';
import type { Sandbox, SandboxDriver } from '#sandbox/sandbox.ts';
import type { Limits, SandboxLabels } from '#sandbox/schema.ts';
import { type AgentProgram, agentImage, BrokenAgent, commandIn, readAgent } from '#services/evaluator/agent-program.ts';
import { blameAgent } from '#services/evaluator/blame.ts';
import { evaluate } from '#services/evaluator/evaluate.ts';
import { parsePatch } from '#services/evaluator/patch.ts';
import { whyFailed } from '#services/evaluator/snapshot.ts';
import { assertModelAnswered, solve } from '#services/evaluator/solve.ts';
import { firstLine, insideNames, printedText } from '#services/evaluator/transcript.ts';
import type { Progress } from '#services/worker/control-client.ts';
import { noteInstruction, noteLine } from './prompts.ts';

/** A would-be child and what it is checked with. */
export interface Candidate {
  /** Tar of its source. */
  source: Uint8Array;
  /** Whether it must have tests of its own: its parent has. */
  needsTests: boolean;
  smokeTask: Task;
  /** Ids of the GPUs for the smoke task's sandboxes. */
  gpus: readonly string[];
  models: Pick<RunSpec['models'], 'trial' | 'selfEdit'>;
  limits: Limits;
  labels: SandboxLabels;
  /** How long it may work on the smoke task and on the self-edit, each. */
  solveMs: number;
}

export interface ViabilityDeps {
  driver: SandboxDriver;
  model: (role: CallRole, request: Request) => Promise<Response>;
  report: (stage: Progress['stage'], detail: string) => void;
  signal: AbortSignal;
}

type CheckedStep = 'parse' | 'own-tests' | 'start' | 'smoke' | 'self-edit';

export interface Viability {
  /** `viable`, or the name of the step that failed. */
  outcome:
    | Extract<
        ProposalOutcome,
        'does-not-parse' | 'own-tests-fail' | 'does-not-start' | 'fails-smoke' | 'cannot-self-edit'
      >
    | 'viable';
  reason: string;
  steps: ViabilityStep[];
  /** What each step printed. */
  sections: { title: string; text: string }[];
}

/**
 * Checks whether a would-be child can live, cheapest step first: its source parses, its own tests pass, it starts and answers,
 * it solves a smoke task, and it can still edit itself. Stops at the first step that fails. Whatever the child does is in
 * the result; what is thrown is the harness's trouble.
 */
export async function checkViability(candidate: Candidate, deps: ViabilityDeps): Promise<Viability> {
  const climb = new Climb(deps.report);
  const agent = await climb.take('parse', async () => readCandidate(candidate.source));
  if (agent !== null) {
    (await checkSource(agent, candidate, climb, deps)) &&
      (await climb.take('smoke', () => solveSmokeTask(candidate, deps))) &&
      (await climb.take('self-edit', () => editSelf(agent, candidate, deps)));
  }
  return climb.result();
}

/** What a step found: `value` when it passed. */
type Finding<T> = { value: T; detail: string; printed?: string } | { value: null; detail: string; printed?: string };

const failures = {
  parse: 'does-not-parse',
  'own-tests': 'own-tests-fail',
  start: 'does-not-start',
  smoke: 'fails-smoke',
  'self-edit': 'cannot-self-edit',
} as const satisfies Record<CheckedStep, Viability['outcome']>;

/** Takes steps one after the other and keeps what came of them. A step taken in two parts is one step. */
class Climb {
  readonly #steps: ViabilityStep[] = [];
  readonly #sections: Viability['sections'] = [];
  readonly #report: ViabilityDeps['report'];
  #failed: Pick<Viability, 'outcome' | 'reason'> | undefined;

  constructor(report: ViabilityDeps['report']) {
    this.#report = report;
  }

  async take<T>(step: CheckedStep, check: () => Promise<Finding<T>>): Promise<T | null> {
    this.#report('checking', step);
    const startedMs = Date.now();
    const { value, detail, printed } = await check();
    const earlier = this.#steps.at(-1)?.step === step ? this.#steps.pop() : undefined;
    const durationMs = Date.now() - startedMs + (earlier?.durationMs ?? 0);
    this.#steps.push({ step, passed: value !== null, detail: firstLine(detail), durationMs });
    if (value === null) this.#failed = { outcome: failures[step], reason: firstLine(detail) };
    this.#sections.push({ title: step, text: printed ?? '' });
    return value;
  }

  result(): Viability {
    const verdict = this.#failed ?? { outcome: 'viable', reason: '' };
    return { ...verdict, steps: this.#steps, sections: this.#sections };
  }
}

function readCandidate(source: Uint8Array): Finding<AgentProgram> {
  try {
    return { value: readAgent(source), detail: 'agent.json is valid' };
  } catch (error) {
    if (error instanceof BrokenAgent) return { value: null, detail: error.message, printed: error.message };
    throw error;
  }
}

/** The steps that need no model, in one sandbox. */
async function checkSource(
  agent: AgentProgram,
  candidate: Candidate,
  climb: Climb,
  deps: ViabilityDeps,
): Promise<true | null> {
  await deps.driver.prepare(agentImage, { signal: deps.signal });
  const { limits, labels } = candidate;
  const spec = { image: agentImage, limits, labels, deadlineMs: Date.now() + sourceChecksMs };
  await using sandbox = await deps.driver.open(spec, { signal: deps.signal });
  await sandbox.put('/agent', agent.source);
  const guarded = (check: typeof parseSource) => () => unlessItEndsItsSandbox(check(sandbox, agent, deps.signal), deps);
  return (
    (await climb.take('parse', guarded(parseSource))) &&
    (await climb.take('own-tests', guarded(candidate.needsTests ? runOwnTests : runTestsIfAny))) &&
    (await climb.take('start', guarded(start)))
  );
}

const sourceChecksMs = 300_000;
const parseMs = 60_000;
const ownTestsMs = 120_000;
const startMs = 10_000;

async function unlessItEndsItsSandbox(finding: Promise<Finding<true>>, deps: ViabilityDeps): Promise<Finding<true>> {
  try {
    return await finding;
  } catch (error) {
    await blameAgent(error, deps);
    return { value: null, detail: 'The sandbox ended while it ran.' };
  }
}

const SourceCheck = z.object({ files: z.int(), broken: z.array(z.object({ path: z.string(), reason: z.string() })) });

async function parseSource(sandbox: Sandbox, _agent: AgentProgram, signal: AbortSignal): Promise<Finding<true>> {
  const program = await readFile(new URL('./source-check.cjs', import.meta.url), 'utf8');
  const argv = ['node', '--no-warnings', '--input-type=commonjs', '-e', program, sandbox.path('/agent')];
  const result = await sandbox.exec(argv, {
    cwd: '/clade',
    env: sandbox.baseEnv,
    deadlineMs: Date.now() + parseMs,
    signal,
  });
  if (result.exitCode === 126 || result.exitCode === 127)
    throw new Error(`node does not run in a sandbox: ${whyFailed(result)}`);
  if (result.exitCode !== 0) return { value: null, detail: `The source could not be read: ${whyFailed(result)}` };
  const { files, broken } = SourceCheck.parse(JSON.parse(printedText(result.stdout)));
  const [first] = broken;
  if (first === undefined) return { value: true, detail: `${files} files parse` };
  const printed = broken.map(({ path, reason }) => `${path}: ${reason}\n`).join('');
  return { value: null, detail: `${first.path}: ${first.reason}`, printed };
}

async function runTestsIfAny(sandbox: Sandbox, agent: AgentProgram, signal: AbortSignal): Promise<Finding<true>> {
  if (agent.manifest.test === undefined) return { value: true, detail: 'it has no tests' };
  return runOwnTests(sandbox, agent, signal);
}

async function runOwnTests(sandbox: Sandbox, agent: AgentProgram, signal: AbortSignal): Promise<Finding<true>> {
  const { test } = agent.manifest;
  if (test === undefined) return { value: null, detail: 'Its agent.json no longer says how to run its tests.' };
  const result = await sandbox.exec(test, {
    cwd: '/agent',
    env: sandbox.baseEnv,
    deadlineMs: Date.now() + ownTestsMs,
    signal,
  });
  await sandbox.quiesce();
  const printed = insideNames(sandbox, printedText(result.stdout) + printedText(result.stderr));
  if (result.exitCode === 0) return { value: true, detail: 'its tests pass', printed };
  return {
    value: null,
    detail: result.timedOut
      ? `Its tests ran for more than ${ownTestsMs / 1000} s.`
      : `Its tests failed: ${whyFailed(result)}`,
    printed,
  };
}

async function start(sandbox: Sandbox, agent: AgentProgram, signal: AbortSignal): Promise<Finding<true>> {
  const argv = commandIn(sandbox, agent, ['--check']);
  const result = await sandbox.exec(argv, { env: sandbox.baseEnv, deadlineMs: Date.now() + startMs, signal });
  const printed = insideNames(sandbox, printedText(result.stdout) + printedText(result.stderr));
  if (result.timedOut) return { value: null, detail: `It did not answer --check within ${startMs / 1000} s.`, printed };
  if (result.exitCode !== 0) return { value: null, detail: `It answered --check with ${whyFailed(result)}`, printed };
  const answered = printedText(result.stdout).split('\n').some(saysOk);
  return answered
    ? { value: true, detail: 'it starts and answers', printed }
    : { value: null, detail: 'It answered --check without {"ok": true}.', printed };
}

function saysOk(line: string): boolean {
  try {
    return z.object({ ok: z.literal(true) }).safeParse(JSON.parse(line)).success;
  } catch {
    return false;
  }
}

async function solveSmokeTask(candidate: Candidate, deps: ViabilityDeps): Promise<Finding<true>> {
  const { source, smokeTask: task, gpus, models, limits, labels, solveMs: trialMs } = candidate;
  const forward = (request: Request) => deps.model('viability', request);
  const report = () => {};
  const result = await evaluate(
    { source, task, model: models.trial, limits, labels, trialMs, gpus },
    { ...deps, forward, report },
  );
  const detail = `${task.id}: ${result.outcome}, ${result.reason}`;
  return result.outcome === 'resolved'
    ? { value: true, detail, printed: result.transcript }
    : { value: null, detail, printed: result.transcript };
}

async function editSelf(agent: AgentProgram, candidate: Candidate, deps: ViabilityDeps): Promise<Finding<true>> {
  const line = noteLine(agent.files);
  const { models, limits, labels, solveMs } = candidate;
  const forward = (request: Request) => deps.model('viability', request);
  const task = { image: agentImage, workspace: agent.files, instruction: noteInstruction(line), hints: [] };
  const solved = await solve({ agent, ...task, model: models.selfEdit, limits, labels, solveMs }, { ...deps, forward });
  const printed = solved.transcript;
  if (solved.taken.patch !== null && appendsNote(solved.taken.patch, line))
    return { value: true, detail: 'it added the line', printed };
  assertModelAnswered(solved);
  if (solved.taken.patch === null) return { value: null, detail: solved.taken.detail, printed };
  return { value: null, detail: `It ended (${solved.ended}) without the line at the end of NOTES.md.`, printed };
}

/** Whether the patch makes `line` the last one of NOTES.md: with the three lines of context that git shows, none follows it. */
function appendsNote(patch: string, line: string): boolean {
  const parsed = parsePatch(patch);
  const notes = 'files' in parsed ? parsed.files.find((file) => file.newPath === 'NOTES.md') : undefined;
  const lines = (notes?.text ?? '')
    .trimEnd()
    .split('\n')
    .filter((text) => !text.startsWith('\\ '));
  return lines.at(-1)?.trimEnd() === `+${line}`;
}
