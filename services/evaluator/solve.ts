import type { Task } from '#benchmarks/schema.ts';
import type { EgressPermit, EgressPolicy } from '#sandbox/egress/policy.ts';
import { openRelay } from '#sandbox/relay/relay.ts';
import type { ExecResult, Sandbox, SandboxDriver } from '#sandbox/sandbox.ts';
import type { Limits, SandboxLabels, TarEntry } from '#sandbox/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import { type AgentProgram, commandIn } from './agent-program.ts';
import { blameAgent } from './blame.ts';
import { ModelUnavailable, watchModel } from './model-watch.ts';
import { openNetwork, policyFor } from './network.ts';
import { commitBase, gitEnv, type TakenPatch, takePatch, whyFailed } from './snapshot.ts';
import { type ImageNeeds, taskImage } from './task-image.ts';
import { cutMiddle, insideNames, maxTranscriptChars, printedText } from './transcript.ts';

/** One agent at work on one repository. Nothing else enters its sandbox. */
export interface Assignment {
  agent: AgentProgram;
  image: string;
  workspace: readonly TarEntry[];
  /** For a workspace in the image: which task's it is, and where. By default it is brought along. */
  id?: string;
  workspaceIn?: 'files' | 'image';
  workdir?: string;
  baseCommit?: string | null;
  environment?: TarEntry[];
  /** What it must reach. By default nothing. */
  network?: Task['network'];
  /** A patch of the workspace that is in place before the agent starts, and part of what it leaves. */
  startPatch?: string;
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
  /** What sandboxes may reach at most. By default nothing. */
  egress?: EgressPermit;
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
  const place = placeOf(assignment);
  const { id = '', network = null } = assignment;
  const policy = policyFor({ id, network }, deps.egress);
  const image = await taskImage(place, deps);
  const { limits, labels, gpus } = assignment;
  const inImage = place.workspaceIn === 'image';
  const deadlineMs = Date.now() + assignment.solveMs + setUpMs;
  const spec = { image, limits, labels, gpus, deadlineMs, writableRoot: inImage, tools: inImage };
  await using sandbox = await deps.driver.open(spec, { signal: deps.signal });
  await furnish(sandbox, assignment);
  // Half of its time: a model that slow leaves no agent a chance.
  const watch = watchModel(deps.forward, assignment.solveMs / 2);
  const ran = await runAgent(sandbox, assignment, { ...deps, forward: watch.forward, policy });
  const taken = await unlessLost(takeWork(sandbox, place.workdir, deps.signal), deps);
  return { ...withLeftOut(ran, taken), taken, durationMs: Date.now() - startedMs, modelTrouble: watch.trouble() };
}

/** For results that would be held against the agent. @throws ModelUnavailable when the model let it down. */
export function assertModelAnswered({ modelTrouble }: Pick<Solved, 'modelTrouble'>): void {
  if (modelTrouble !== null) throw new ModelUnavailable(`The agent's last model call failed: ${modelTrouble}.`);
}

/** Time for what is not the agent: furnishing the sandbox and taking the patch. */
const setUpMs = 180_000;

/** What makes programs print the same when a job is done again, here or on another machine. An image may know better. */
const steadyEnv = { TZ: 'UTC', PYTHONHASHSEED: '0' };

type Ran = Pick<Solved, 'ended' | 'exitCode' | 'transcript'>;

const tookSandboxDown: Ran = { ended: 'crashed', exitCode: null, transcript: '' };

function placeOf({ image, id = '', workspaceIn = 'files', ...more }: Assignment): ImageNeeds {
  const { workdir = '/workspace', baseCommit = null, environment = [] } = more;
  return { id, image, workspaceIn, workdir, baseCommit, environment };
}

async function furnish(sandbox: Sandbox, { workspace, agent, instruction, hints }: Assignment): Promise<void> {
  const task = new TextEncoder().encode(JSON.stringify({ instruction, hints }));
  await Promise.all([
    workspace.length === 0 ? undefined : sandbox.put('/workspace', packTar(workspace)),
    sandbox.put('/agent', agent.source),
    sandbox.put('/task', packTar([{ path: 'task.json', bytes: task, executable: false }])),
  ]);
}

async function runAgent(
  sandbox: Sandbox,
  assignment: Assignment,
  deps: SolveDeps & { policy: EgressPolicy | null },
): Promise<Ran> {
  const { workspaceIn, workdir } = placeOf(assignment);
  const committed = workspaceIn === 'files' ? commitBase(sandbox, deps.signal) : undefined;
  const network = openNetwork(sandbox, deps.policy, deps.signal);
  const [, opened, openedNetwork] = await Promise.all([committed, openRelay(sandbox, deps), network]);
  await using relay = opened;
  await using reach = openedNetwork;
  await startFrom(sandbox, workdir, assignment.startPatch ?? '', deps.signal);
  const deadlineMs = Date.now() + assignment.solveMs;
  const env = {
    ...steadyEnv,
    ...sandbox.baseEnv,
    ...reach.env,
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
    const result = await sandbox.exec(argv, { cwd: workdir, env, deadlineMs, signal: deps.signal });
    const transcript = transcriptOf(sandbox, result) + reach.note();
    return { ended: howEnded(result), exitCode: result.exitCode, transcript };
  } catch (error) {
    await blameAgent(error, deps);
    return { ...tookSandboxDown, transcript: reach.note() };
  }
}

/** Puts back a patch that was taken from a workspace like this one. */
async function startFrom(sandbox: Sandbox, workdir: string, patch: string, signal: AbortSignal): Promise<void> {
  if (patch === '') return;
  // Without a ceiling, git would look for a repository above and apply the patch relative to that.
  const ceiling = sandbox.path(workdir).replace(/\/[^/]+$/, '') || '/';
  const result = await sandbox.exec([sandbox.program('git'), 'apply', '--whitespace=nowarn', '-'], {
    cwd: workdir,
    env: { ...gitEnv(sandbox), GIT_CEILING_DIRECTORIES: ceiling },
    stdin: new TextEncoder().encode(patch),
    deadlineMs: Date.now() + 60_000,
    signal,
  });
  if (result.exitCode !== 0) throw new Error(`A patch that was taken cannot be put back: ${whyFailed(result)}`);
}

/** The change of the workspace, with nothing running there any more. */
async function takeWork(sandbox: Sandbox, workdir: string, signal: AbortSignal): Promise<TakenPatch> {
  await sandbox.quiesce();
  return await takePatch(sandbox, workdir, signal);
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
