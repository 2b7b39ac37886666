import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Archive, openArchive } from '#archive/archive.ts';
import type { RunKey } from '#archive/runs.ts';
import { type Action, type AgentId, type Lease, type Run, type RunId, RunSpec } from '#archive/schema.ts';
import type { ApiDeps, RunControl } from '#services/api/deps.ts';
import type { ModelView, ProgressView } from '#services/api/schema.ts';
import { type Api, createServer } from '#services/api/server.ts';
import { CladeError } from '#services/errors.ts';
import { createMetrics } from '#services/metrics/metrics.ts';
import { type RunFigures, readFigures } from '#services/scheduler/run-figures.ts';

export const models: ModelView[] = [
  {
    name: 'rehearsal',
    upstream: 'rehearsal',
    model: 'rehearsal',
    ready: true,
    missing: null,
    inputUsdPerMTok: 0.1,
    outputUsdPerMTok: 0.4,
  },
  {
    name: 'strong',
    upstream: 'openai',
    model: 'strong-1',
    ready: false,
    missing: 'set STRONG_KEY',
    inputUsdPerMTok: 2,
    outputUsdPerMTok: 8,
  },
];

/** The API over a real archive in a directory of its own; a stand-in that moves states takes the scheduler's place. */
export interface TestService extends AsyncDisposable {
  api: Api;
  archive: Archive;
  control: TestControl;
}

interface Over extends Partial<Pick<ApiDeps, 'access' | 'heartbeatMs' | 'remote'>> {
  /** How runs begin; without it as `newRun` does. */
  createRun?: (archive: Archive) => ApiDeps['createRun'];
}

export async function testService({ createRun, ...over }: Over = {}): Promise<TestService> {
  await using opening = new AsyncDisposableStack();
  const home = mkdtempSync(join(tmpdir(), 'clade-api-test-'));
  opening.defer(() => rmSync(home, { recursive: true, force: true }));
  const archive = opening.use(await openArchive(home, { create: true }));
  const control = new TestControl(archive);
  const server = await createServer({
    archive,
    scheduler: control,
    createRun: createRun?.(archive) ?? ((spec, key) => newRun(archive, spec, key)),
    suites: { list: async () => [{ name: 'katas', title: 'Katas', builtin: true, tasks: 2 }] },
    models,
    metrics: createMetrics({ archive }),
    fleet: { list: () => [], order: () => null },
    access: { host: '127.0.0.1', port: 80, tokens: {} },
    ...over,
  });
  const api = opening.adopt(server, (open) => open.close());
  const parts = opening.move();
  return { api, archive, control, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

export class TestControl implements RunControl {
  slots: ProgressView[] = [];
  readonly listeners = new Set<() => void>();
  readonly #archive: Archive;

  constructor(archive: Archive) {
    this.#archive = archive;
  }

  pause(id: string): void {
    this.#move(id, 'paused');
  }
  resume(id: string): void {
    this.#move(id, 'running');
  }
  stop(id: string): void {
    this.#move(id, 'stopped');
  }
  progress(): ProgressView[] {
    return this.slots;
  }
  onProgress(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  figures(id: RunId): RunFigures {
    return readFigures(this.#archive, this.#archive.runs.get(id)!, 5);
  }

  #move(id: string, to: 'paused' | 'running' | 'stopped'): void {
    const state = this.#archive.runs.get(id)?.state;
    if (state === 'stopped') throw new CladeError('wrong-state', `Run ${id} is stopped.`);
    this.#archive.runs.setState(id, to, 'asked for', 5);
  }
}

/** A run with a seed agent of two files. */
export async function newRun(archive: Archive, spec: RunSpec = RunSpec.parse({}), key?: RunKey): Promise<Run> {
  const directory = join(archive.home, 'seed-source');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'agent.json'), '{"name":"tiny","command":["node","main.ts"]}\n');
  writeFileSync(join(directory, 'main.ts'), 'console.log(1);\n');
  const seed = await archive.repository.commitSeed(directory);
  return archive.runs.create({
    spec,
    suiteDigest: 'd1',
    tasks: ['one', 'two'],
    prices: {},
    roots: [{ ...seed, summary: 'Seed agent' }],
    key,
    nowMs: Date.now(),
  });
}

/** Journals a decision and claims the job it began. */
export function begin(archive: Archive, run: Run, action: Action): Lease {
  const ordinal = archive.decisions.list(run.id).length + 1;
  const decision = {
    runId: run.id,
    ordinal,
    asOfSeq: 0,
    nowMs: 1,
    action,
    candidates: 0,
    top: [],
    digest: '',
    durationUs: 1,
  };
  const evidence = { kind: 'none' as const, trialIds: [] };
  const job = archive.decisions.record(decision, { evidence, jobBudgetUusd: null });
  return archive.jobs.claim(job!, 'test', 60_000, 2)!;
}

/** A settled trial of an agent; the transcript is what it printed. */
export function trial(
  archive: Archive,
  run: Run,
  given: { agent: AgentId; task: string; y: number; transcript?: string },
): string {
  const lease = begin(archive, run, { kind: 'evaluate', agent: given.agent, task: given.task, attempt: 1 });
  const texts = { patch: 'the patch', transcript: given.transcript ?? 'the transcript', graderLog: 'the grader log' };
  const outcome = given.y === 1 ? 'resolved' : 'unresolved';
  const result = {
    kind: 'trial' as const,
    grading: null,
    outcome,
    y: given.y,
    reason: 'said so',
    solveMs: 1,
    gradeMs: 1,
    ...texts,
  } as const;
  const write = (text: string) => archive.blobs.write(text);
  const blobs = { patch: write(texts.patch), transcript: write(texts.transcript), graderLog: write(texts.graderLog) };
  archive.trials.settle(lease, result, blobs, 3);
  return lease.jobId;
}

const CHILD_PATCH = `diff --git a/main.ts b/main.ts
--- a/main.ts
+++ b/main.ts
@@ -1 +1 @@
-console.log(1);
+console.log(2);
`;

/** A child of an agent, whose main.ts prints 2. */
export async function child(archive: Archive, run: Run, parent: AgentId): Promise<AgentId> {
  const lease = begin(archive, run, { kind: 'propose', parent, editor: parent });
  const parentCommit = archive.agents.get(parent)!.commit;
  const staged = await archive.repository.stage({ parentCommit, patch: CHILD_PATCH });
  if (!('tree' in staged)) throw new Error(`the patch was refused: ${staged.detail}`);
  const summary = 'Print two';
  const { commit } = await archive.repository.commit({
    parentCommit,
    tree: staged.tree,
    summary,
    body: '',
    ordinal: 1,
  });
  const texts = { patch: CHILD_PATCH, transcript: 'how it went' };
  const result = {
    kind: 'proposal' as const,
    outcome: 'viable' as const,
    reason: 'ok',
    title: summary,
    diagnosis: 'One is not enough.',
    tree: staged.tree,
    steps: [],
    ...texts,
  };
  const blobs = { patch: archive.blobs.write(texts.patch), transcript: archive.blobs.write(texts.transcript) };
  archive.proposals.settle(lease, result, blobs, { commit, tree: staged.tree, summary }, 4);
  return archive.agents.lineage(run.id).at(-1)!.id;
}
