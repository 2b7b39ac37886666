import { randomUUID } from 'node:crypto';
import type { ImageInspectInfo } from 'dockerode';
import { answered, type Engine } from './answer.ts';
import { type ContainerSettings, containerSettings } from './container-settings.ts';
import { environmentOf, inspectImage, volumesOf } from './inspect.ts';
import { Removals } from './removals.ts';
import type { Asking } from './single-flight.ts';
import { seccompProfile, startContainer } from './start.ts';

export interface ScriptRun {
  tag: string;
  script: string;
  labels: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** The volume with Node and git, where it needs them. */
  toolsVolume: string | undefined;
}

/** The engine stops what runs and copies what has changed. */
const COMMIT_MS = 1_200_000;
const OUTPUT_BYTES = 4000;

/**
 * Makes an image of what a script leaves behind in a container of another. The container ends with this process, and is
 * removed whatever happens; the tag is given at the very end.
 * @throws Error with the end of what the script printed when it fails or takes too long.
 */
export async function commitScript(
  engine: Engine,
  base: ImageInspectInfo,
  run: ScriptRun,
  { signal }: Asking,
): Promise<void> {
  const deadlineMs = Date.now() + run.timeoutMs;
  const settings = await scriptSettings(base, deadlineMs + COMMIT_MS, run.toolsVolume);
  const name = `clade-derive-${randomUUID()}`;
  const own = { name, deadlineMs: deadlineMs + COMMIT_MS, removals: new Removals(engine), isAwaited: true };
  await using sandbox = await startContainer(engine, settings, { ...own, signal });
  const env = { ...sandbox.baseEnv, ...environmentOf(base) };
  const options = {
    cwd: '/',
    env,
    deadlineMs,
    maxOutputBytes: OUTPUT_BYTES,
    ...(signal === undefined ? {} : { signal }),
  };
  const { exitCode, timedOut, stdout, stderr } = await sandbox.exec(['/bin/sh', '-c', run.script], options);
  if (exitCode !== 0) {
    const what = timedOut ? `took longer than ${run.timeoutMs} ms` : `ended with ${exitCode}`;
    throw new Error(`its script ${what}\n${Buffer.concat([stdout.bytes, stderr.bytes]).toString().trim()}`);
  }
  await sandbox.quiesce();
  signal?.throwIfAborted();
  // Another process may have been faster.
  if ((await inspectImage(engine, run.tag)) === undefined) await commit(engine, sandbox.id, base, run);
}

async function scriptSettings(
  base: ImageInspectInfo,
  deadlineMs: number,
  toolsVolume: string | undefined,
): Promise<ContainerSettings> {
  const spec = {
    image: base.Id,
    limits: { cpus: 1, memoryMiB: 4096, pids: 1024, diskMiB: 65_536 },
    deadlineMs,
    labels: { owner: '', run: '', job: '', epoch: 0 },
    writableRoot: true,
  };
  const settings = containerSettings(spec, { seccomp: await seccompProfile(), volumes: volumesOf(base), toolsVolume });
  // Labels of the container would become the image's, and those of every container made from it; variables likewise, but those
  // that the image sets itself, which get their value back.
  const own = environmentOf(base);
  const Env = (settings.Env ?? []).filter((variable) => (variable.split('=')[0] ?? '') in own);
  return { ...settings, Env, Labels: {}, HostConfig: { ...settings.HostConfig, NanoCpus: 0 } };
}

/** What the container was started with in place of the image's own must not become the image's. */
async function commit({ docker }: Engine, id: string, base: ImageInspectInfo, run: ScriptRun): Promise<void> {
  const { Config } = base;
  const [repo, tag] = run.tag.split(':');
  const configuration = {
    User: Config.User,
    WorkingDir: Config.WorkingDir === '' ? '/' : Config.WorkingDir,
    Entrypoint: Config.Entrypoint ?? [],
    Cmd: Config.Cmd ?? [],
    Env: Config.Env ?? [],
    Labels: { ...Config.Labels, ...run.labels },
  };
  const query = { container: id, repo, tag, comment: 'clade' };
  const options = { _query: query, _body: configuration };
  await answered(COMMIT_MS, (abortSignal) => docker.getContainer(id).commit({ ...options, abortSignal }));
}
