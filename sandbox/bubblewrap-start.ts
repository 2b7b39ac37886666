import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, readlink } from 'node:fs/promises';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { bubblewrapArguments, type HostView, MADE_FILES } from './bubblewrap-arguments.ts';
import { type Cgroup, joining } from './cgroups.ts';
import { closeInherited } from './inherited-files.ts';
import { Keeper } from './keeper.ts';
import { type Namespaces, openNamespaces } from './namespaces.ts';
import { keepOutput } from './output.ts';
import type { Limits } from './schema.ts';

/** A `bwrap` that runs, with its keeper ready. Disposing of it ends it with all that runs in it. */
export interface RunningBubblewrap extends AsyncDisposable {
  isRoot: boolean;
  keeper: Keeper;
  namespaces: Namespaces;
  /** Resolves when it has ended, for whatever reason. */
  ended: Promise<void>;
}

const PATIENCE_MS = 1000;
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** @throws Error with what `bwrap` said when it does not come up. */
export async function startBubblewrap(bwrap: string, limits: Limits, cgroup?: Cgroup): Promise<RunningBubblewrap> {
  const view = await hostView();
  const [file = '', ...args] = joining(cgroup, [bwrap, ...bubblewrapArguments(limits, view)]);
  const stdio = Array.from({ length: 4 + MADE_FILES.length }, () => 'pipe' as const);
  closeInherited();
  const child = spawn(file, args, { cwd: '/', env: { PATH: SYSTEM_PATH }, detached: true, stdio });
  const said = keepOutput(4096);
  child.stderr?.on('data', (chunk: Buffer) => said.write(chunk));
  child.on('error', (error) => said.write(Buffer.from(error.message)));
  try {
    return await whenReady(child, view);
  } catch (error) {
    await end(child);
    const why = new TextDecoder().decode(said.output().bytes).trim();
    throw new Error(why === '' ? 'it ended without a word' : why, { cause: error });
  }
}

async function whenReady(child: ChildProcess, { isRoot }: HostView): Promise<RunningBubblewrap> {
  const [stdin, stdout, , info, ...made] = child.stdio;
  // Every one of them was asked for as a pipe, which is a socket to read and to write.
  if (!(stdin instanceof Socket && stdout instanceof Socket && info instanceof Socket))
    throw new Error('it has no pipes');
  for (const [at, file] of made.entries()) {
    if (!(file instanceof Socket)) continue;
    file.on('error', () => {});
    file.end(MADE_FILES[at]?.content ?? '');
  }
  const keeper = new Keeper(stdin, stdout);
  const { 'child-pid': pid }: { 'child-pid': number } = JSON.parse(await text(info));
  if (!(await keeper.says('ready'))) throw new Error('the keeper did not come up');
  const namespaces = openNamespaces(pid, ['mnt', 'uts', 'ipc', 'net', 'pid', ...(isRoot ? [] : ['user' as const])]);
  // Only what it says after the namespaces were opened proves that they are its own.
  if (!(await keeper.killAll())) {
    namespaces[Symbol.dispose]();
    throw new Error('the keeper does not answer');
  }
  const dispose = async (): Promise<void> => {
    keeper.close();
    await endFromInside(child, pid);
    await emptied(namespaces);
    namespaces[Symbol.dispose]();
  };
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return { isRoot, keeper, namespaces, ended, [Symbol.asyncDispose]: dispose };
}

/** The kernel takes a moment to end what is in them. */
async function emptied(namespaces: Namespaces): Promise<void> {
  for (let tries = 0; tries < 1000 && namespaces.processes().length > 0; tries++) await delay(2);
}

/**
 * Ends the first process inside, and `bwrap` then ends by itself: were `bwrap` killed first, that process would wait for
 * process 1 of the host to take note of it, with its control group in use meanwhile.
 */
async function endFromInside(child: ChildProcess, firstInside: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  try {
    process.kill(firstInside, 'SIGKILL');
    await Promise.race([ended, delay(PATIENCE_MS, undefined, { ref: false })]);
  } catch {
    // It has ended already.
  }
  await end(child);
}

/** `--die-with-parent` makes everything in it end with it. */
async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

async function hostView(): Promise<HostView> {
  const systemDirectories: { path: string; link?: string }[] = [];
  for (const path of ['/bin', '/sbin', '/lib', '/lib32', '/lib64']) {
    const found = await lstat(path).catch(() => undefined);
    if (found?.isSymbolicLink()) systemDirectories.push({ path, link: await readlink(path) });
    else if (found?.isDirectory()) systemDirectories.push({ path });
  }
  return { isRoot: process.getuid?.() === 0, systemDirectories, node: process.execPath };
}
