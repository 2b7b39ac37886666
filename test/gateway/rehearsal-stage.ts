import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Suite, Task, TaskFile } from '#benchmarks/schema.ts';
import type { Entry } from '#services/gateway/rehearsal/bank/entry.ts';
import { createRehearsal } from '#services/gateway/rehearsal/rehearsal.ts';

/** Where agents can be tried out with the rehearsal model: temporary directories and an HTTP endpoint, no sandbox. */
export interface Stage extends AsyncDisposable {
  /** Runs an agent on a repository. */
  run(agent: string, repository: string, task: { instruction: string; hints: string[] }): Promise<Ran>;
  /** Whether an agent solves a task, by the task's own tests. */
  solves(agent: string, task: Task): Promise<boolean>;
  /** A directory with these files. */
  directory(files: readonly TaskFile[]): Promise<string>;
  /** A copy of the seed agent with these entries of the bank made. */
  agent(...entries: readonly Entry[]): Promise<string>;
}

export interface Ran {
  code: number | null;
  output: string;
}

export const seedDirectory = fileURLToPath(import.meta.resolve('#archive/seed/main.ts')).replace(/\/main\.ts$/, '');

export async function openStage(suite: Suite): Promise<Stage> {
  const home = await mkdtemp(join(tmpdir(), 'clade-stage-'));
  const rehearsal = createRehearsal({ suites: () => [suite] });
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    response.end(JSON.stringify(rehearsal.chat(JSON.parse(body), 1)));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`; // A TCP server's address is one.
  const directory = (files: readonly TaskFile[]) => put(home, files);
  const run: Stage['run'] = async (agent, repository, task) => {
    const taskFile = join(await mkdtemp(join(home, 'task-')), 'task.json');
    await writeFile(taskFile, JSON.stringify(task));
    const env = {
      ...base,
      CLADE_TASK: taskFile,
      CLADE_MODEL: 'rehearsal',
      CLADE_DEADLINE_MS: '60000',
      OPENAI_BASE_URL: baseUrl,
    };
    const { command } = JSON.parse(await readFile(join(agent, 'agent.json'), 'utf8'));
    return execute(['node', join(agent, command[1])], repository, env);
  };
  const solves: Stage['solves'] = async (agent, task) => {
    const repository = await directory(task.workspace);
    await run(agent, repository, task);
    await write(repository, task.hiddenTests);
    return (await execute(task.test.command, repository, base)).code === 0;
  };
  const agent: Stage['agent'] = async (...entries) => {
    const copy = await mkdtemp(join(home, 'agent-'));
    await cp(seedDirectory, copy, { recursive: true });
    for (const entry of entries) await make(entry, copy);
    return copy;
  };
  return {
    run,
    solves,
    directory,
    agent,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await rm(home, { recursive: true });
    },
  };
}

const base = { PATH: process.env.PATH ?? '', HOME: tmpdir(), TMPDIR: tmpdir(), LANG: 'C.UTF-8' };

export function execute(command: readonly string[], cwd: string, env: Record<string, string> = base): Promise<Ran> {
  const [program = 'false', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

/** The source of an agent by path, its tests included. */
export async function readSource(directory: string): Promise<Map<string, string>> {
  const names = (await readdir(directory)).filter((name) => /\.(ts|json|md)$/.test(name)).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const)),
  );
}

/** Makes an entry's edits on a source in memory. Throws where an anchor is not there exactly once. */
export function edited(source: ReadonlyMap<string, string>, entry: Entry): Map<string, string> {
  const result = new Map(source);
  for (const edit of entry.edits) {
    if (edit.kind === 'create') result.set(edit.path, edit.text);
    if (edit.kind !== 'replace') continue;
    const text = result.get(edit.path) ?? '';
    if (text.split(edit.anchor).length !== 2)
      throw new Error(`"${entry.title}": anchor in ${edit.path}: ${edit.anchor}`);
    result.set(
      edit.path,
      text.replace(edit.anchor, () => edit.replacement),
    );
  }
  return result;
}

async function make(entry: Entry, directory: string): Promise<void> {
  for (const [path, text] of edited(await readSource(directory), entry)) await writeFile(join(directory, path), text);
}

async function put(home: string, files: readonly TaskFile[]): Promise<string> {
  const directory = await mkdtemp(join(home, 'work-'));
  await write(directory, files);
  return directory;
}

async function write(directory: string, files: readonly TaskFile[]): Promise<void> {
  for (const file of files) {
    await mkdir(dirname(join(directory, file.path)), { recursive: true });
    await writeFile(join(directory, file.path), file.bytes);
  }
}
