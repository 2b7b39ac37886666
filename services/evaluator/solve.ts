import { openRelay } from '#sandbox/relay/relay.ts';
import { type ExecResult, type Sandbox, type SandboxDriver, SandboxGone } from '#sandbox/sandbox.ts';
import type { Limits, SandboxLabels, TarEntry } from '#sandbox/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import { type AgentProgram, commandIn } from './agent-program.ts';
import { ModelUnavailable, watchModel } from './model-watch.ts';
import { commitBase, type TakenPatch, takePatch } from './snapshot.ts';
import { cutMiddle, maxTranscriptChars, printedText } from './transcript.ts';

/** One agent at work on one repository. Nothing else enters its sandbox. */
export interface Assignment {
  agent: AgentProgram;
  image: string;
  workspace: readonly TarEntry[];
  instruction: string;
  hints: readonly string[];
  model: string;
  limits: Limits;
  labels: SandboxLabels;
  /** How long the agent may work. */
  solveMs: number;
  gpus?: readonly string[];
}

export interface SolveDeps {
  driver: SandboxDriver;
  /** Answers the agent's model calls. */
  forward: (request: Request) => Promise<Response>;
  signal: AbortSignal;
}

/** What an agent left behind. */
export interface Solved {
  /** `exited`: with code 0. `crashed`: with another, or it took its own sandbox down. */
  ended: 'exited' | 'timeout' | 'crashed';
  exitCode: number | null;
  /** The change of the workspace, or why there is none that could be looked at. */
  taken: TakenPatch;
  /** What it printed, with the sandbox's place on the host cut out of the names. */
  transcript: string;
  durationMs: number;
  /** Why the agent's last model call failed, when it had no part in that; null otherwise. */
  modelTrouble: string | null;
}

/**
 * Lets an agent work on a repository in a sandbox of its own. Whatever the agent does is in the result; what is thrown is the
 * harness's trouble: no sandbox to be had, an engine that is gone, the signal.
 */
export async function solve(assignment: Assignment, deps: SolveDeps): Promise<Solved> {
  const startedMs = Date.now();
  await deps.driver.prepare(assignment.image, { signal: deps.signal });
  const { image, limits, labels, gpus } = assignment;
  const spec = { image, limits, labels, gpus, deadlineMs: Date.now() + assignment.solveMs + setUpMs };
  await using sandbox = await deps.driver.open(spec, { signal: deps.signal });
  await furnish(sandbox, assignment);
  // Half of its time: a model that slow leaves no agent a chance.
  const watch = watchModel(deps.forward, assignment.solveMs / 2);
  const ran = await runAgent(sandbox, assignment, { ...deps, forward: watch.forward });
  const taken = await unlessLost(takeWork(sandbox, deps.signal), deps);
  return { ...withLeftOut(ran, taken), taken, durationMs: Date.now() - startedMs, modelTrouble: watch.trouble() };
}

/** For results that would be held against the agent. @throws ModelUnavailable when the model let it down. */
export function assertModelAnswered({ modelTrouble }: Pick<Solved, 'modelTrouble'>): void {
  if (modelTrouble !== null) throw new ModelUnavailable(`The agent's last model call failed: ${modelTrouble}.`);
}

/**
 * Decides whose fault it is that a sandbox ended which a program of the agent ran in. Returns when what ran in it ended it,
 * for instance by using up the memory, and the engine is well. @throws the error otherwise.
 */
export async function blameAgent(error: unknown, deps: Pick<SolveDeps, 'driver' | 'signal'>): Promise<void> {
  if (!(error instanceof SandboxGone) || error.endedBy !== 'program' || deps.signal.aborted) throw error;
  const diagnosis = await deps.driver.diagnose();
  if (!diagnosis.available) throw error;
}

/** Time for what is not the agent: furnishing the sandbox and taking the patch. */
const setUpMs = 180_000;

type Ran = Pick<Solved, 'ended' | 'exitCode' | 'transcript'>;

const tookSandboxDown: Ran = { ended: 'crashed', exitCode: null, transcript: '' };

async function furnish(sandbox: Sandbox, { workspace, agent, instruction, hints }: Assignment): Promise<void> {
  const task = new TextEncoder().encode(JSON.stringify({ instruction, hints }));
  await Promise.all([
    sandbox.put('/workspace', packTar(workspace)),
    sandbox.put('/agent', agent.source),
    sandbox.put('/task', packTar([{ path: 'task.json', bytes: task, executable: false }])),
  ]);
}

async function runAgent(sandbox: Sandbox, assignment: Assignment, deps: SolveDeps): Promise<Ran> {
  const [, opened] = await Promise.all([commitBase(sandbox, deps.signal), openRelay(sandbox, deps)]);
  await using relay = opened;
  const deadlineMs = Date.now() + assignment.solveMs;
  const env = {
    ...sandbox.baseEnv,
    CLADE_TASK: sandbox.path('/task/task.json'),
    CLADE_MODEL: assignment.model,
    CLADE_DEADLINE_MS: String(Math.round(assignment.solveMs)),
    // What Python keeps of a program that was run would change a workspace that began with some of it.
    PYTHONDONTWRITEBYTECODE: '1',
    OPENAI_BASE_URL: relay.baseUrl,
    // Not a key: some clients will not start without one.
    OPENAI_API_KEY: 'clade',
  };
  try {
    const argv = commandIn(sandbox, assignment.agent);
    const result = await sandbox.exec(argv, { env, deadlineMs, signal: deps.signal });
    return { ended: howEnded(result), exitCode: result.exitCode, transcript: transcriptOf(sandbox, result) };
  } catch (error) {
    await blameAgent(error, deps);
    return tookSandboxDown;
  }
}

/** The change of the workspace, with nothing running there any more. */
async function takeWork(sandbox: Sandbox, signal: AbortSignal): Promise<TakenPatch> {
  await sandbox.quiesce();
  return await takePatch(sandbox, signal);
}

async function unlessLost(taking: Promise<TakenPatch>, deps: SolveDeps): Promise<TakenPatch> {
  try {
    return await taking;
  } catch (error) {
    await blameAgent(error, deps);
    return { patch: null, defect: 'lost', detail: 'What ran in the sandbox ended it.' };
  }
}

/** Says in the transcript what a patch does not have. */
function withLeftOut(ran: Ran, taken: TakenPatch): Ran {
  if (taken.patch === null || taken.leftOut.length === 0) return ran;
  const names = cutMiddle(taken.leftOut.join(', '), 4_000);
  return { ...ran, transcript: `${ran.transcript}\n=== left out of the patch: new binary files ===\n${names}\n` };
}

function howEnded({ timedOut, exitCode }: ExecResult): Solved['ended'] {
  if (timedOut) return 'timeout';
  return exitCode === 0 ? 'exited' : 'crashed';
}

function transcriptOf(sandbox: Sandbox, { stdout, stderr }: ExecResult): string {
  const errors =
    stderr.totalBytes === 0 ? '' : `\n=== stderr ===\n${cutMiddle(printedText(stderr), maxTranscriptChars / 4)}`;
  return insideNames(sandbox, cutMiddle(printedText(stdout), maxTranscriptChars) + errors);
}

/** Text in which files go by the names they have inside, also where the sandbox's root is a directory of the host. */
export function insideNames(sandbox: Pick<Sandbox, 'path'>, text: string): string {
  const workspace = sandbox.path('/workspace');
  const root = workspace.slice(0, -'/workspace'.length);
  return root === '' ? text : text.replaceAll(root, '');
}
