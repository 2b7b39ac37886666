import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Archive, openArchive } from '#archive/archive.ts';
import { type Action, type Evidence, type JobId, type Run, RunSpec } from '#archive/schema.ts';
import type { Task } from '#benchmarks/schema.ts';
import type { CallDeskOptions } from '#services/api/call-desk.ts';
import { type JobDesk, openJobDesk } from '#services/api/job-desk.ts';
import { type Api, createServer } from '#services/api/server.ts';
import { version } from '#services/api/version.ts';
import { createGateway, type Gateway } from '#services/gateway/gateway.ts';
import { createRehearsalUpstream } from '#services/gateway/rehearsal-upstream.ts';
import { createOpenAiUpstream } from '#services/gateway/upstream.ts';
import { createLog } from '#services/log.ts';
import { createMetrics } from '#services/metrics/metrics.ts';
import { createControl } from '#services/scheduler/control.ts';
import { createDiskWatch } from '#services/scheduler/disk-watch.ts';
import { Fleet } from '#services/scheduler/fleet.ts';
import { openContentCache } from '#services/worker/cache.ts';
import type { ControlClient, Progress } from '#services/worker/control-client.ts';
import { createHttpClient, type HttpClient } from '#services/worker/http-client.ts';
import { newRun, TestControl } from '#test/api/service.ts';
import { decision, writeFiles } from '#test/archive/builders.ts';
import { aFile, aTask } from '#test/benchmarks/a-task.ts';
import { CATALOG } from '#test/gateway/builders.ts';

export const tasks: Task[] = ['one', 'two'].map((id) =>
  aTask({ id, title: `Task ${id}`, hiddenTests: [aFile('hidden/a.test.js', 'hidden\n', true)] }),
);

/** Control with a run, over a real archive and gateway: the object itself, and the service that lets others reach it. */
export interface RemoteControl extends AsyncDisposable {
  home: string;
  archive: Archive;
  gateway: Gateway;
  run: Run;
  /** As a worker beside it has it. */
  direct: ControlClient;
  desk: JobDesk;
  api: Api;
  url: string;
  /** What was reported. */
  progress: Progress[];
  /** Journals a decision, and says which job it began. */
  begin(action: Action, evidence?: Evidence): JobId;
  /** A client with a cache of its own. */
  client(over?: { url?: string; token?: string; cacheBytes?: number }): Promise<Client>;
}

export type Client = HttpClient;

export const tokens = { admin: 'an-admin-token', viewer: 'a-viewer-token', worker: 'a-worker-token' };

interface Options {
  /** Of the stand-in provider of models. */
  baseUrl?: string;
  /** By default with patience without end. */
  calls?: CallDeskOptions;
  /** Stands before the control object, for those beside it and for the service alike. */
  wrap?: (control: ControlClient) => ControlClient;
}

export async function openRemoteControl({
  baseUrl,
  calls = { patienceMs: 2 ** 30 },
  wrap = (same) => same,
}: Options = {}) {
  await using opening = new AsyncDisposableStack();
  const home = mkdtempSync(join(tmpdir(), 'clade-wire-test-'));
  opening.defer(() => rmSync(home, { recursive: true, force: true }));
  const archive = opening.use(await openArchive(home, { create: true }));
  const log = createLog('silent');
  const gateway = opening.use(
    createGateway({
      archive,
      catalog: CATALOG,
      upstreams: {
        openai: createOpenAiUpstream({ endpointOf: () => ({ baseUrl: baseUrl ?? null, apiKey: 'test-key' }) }),
        rehearsal: createRehearsalUpstream({
          chat: () => {
            throw new Error('not scripted');
          },
        }),
      },
      clock: Date.now,
      retry: { attempts: 2, firstMs: 10, maxMs: 20, maxRetryAfterMs: 100 },
    }),
  );
  const run = await beginRun(archive);
  const progress: Progress[] = [];
  const disk = createDiskWatch(home, 0);
  const control = createControl({
    ...{ archive, gateway, log, clock: Date.now },
    suite: async () => ({ name: 's', title: 'S', digest: 'd1', tasks, excluded: [] }),
    disk,
    breaker: { failed: () => {}, reset: () => {} } as never, // The only methods that control calls.
    mayClaim: () => true,
    onProgress: (one) => void progress.push(one),
    settledBefore: () => [],
  });
  const direct = wrap(control);
  const desk = await openJobDesk({ control: direct, directory: join(home, 'transfer'), calls });
  const fleet = new Fleet({ archive, disk, log, clock: Date.now, version, redisUrl: null });
  const server = await createServer({
    archive,
    scheduler: new TestControl(archive),
    createRun: (spec, key) => newRun(archive, spec, key),
    suites: { list: async () => [] },
    models: [],
    metrics: createMetrics({ archive }),
    access: { host: '127.0.0.1', port: 0, tokens },
    fleet,
    remote: { desk, fleet },
  });
  const api = opening.adopt(server, (open) => open.close());
  const url = await api.listen({ host: '127.0.0.1', port: 0 });
  // Clients end first: a server waits for the connections that are in use.
  const clients = opening.use(new AsyncDisposableStack());
  const parts = opening.move();
  const result: RemoteControl = {
    ...{ home, archive, gateway, run, direct, desk, api, url, progress },
    begin(action, evidence = { kind: 'none', trialIds: [] }) {
      const ordinal = archive.decisions.list(run.id).length + 1;
      const job = archive.decisions.record(decision(run.id, ordinal, action), { evidence, jobBudgetUusd: null });
      if (job === null) throw new Error('the decision began no job');
      return job;
    },
    async client(over = {}) {
      const directory = mkdtempSync(join(tmpdir(), 'clade-wire-cache-'));
      clients.defer(() => rmSync(directory, { recursive: true, force: true }));
      const cache = await openContentCache(directory, { maxBytes: over.cacheBytes ?? 2 ** 26 });
      return clients.use(createHttpClient({ url: over.url ?? url, token: over.token ?? tokens.worker, cache }));
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
  return result;
}

/** With a seed agent of two files, and models that cost something. */
async function beginRun(archive: Archive): Promise<Run> {
  const files = { 'agent.json': '{"name":"tiny","command":["node","main.ts"]}\n', 'main.ts': 'console.log(1);\n' };
  const seed = await archive.repository.commitSeed(writeFiles(join(archive.home, 'seed-source'), files));
  const spec = RunSpec.parse({ models: { trial: 'cheap', diagnosis: 'strong', selfEdit: 'cheap' } });
  const roots = [{ ...seed, summary: 'Seed agent' }];
  const names = tasks.map(({ id }) => id);
  return archive.runs.create({ spec, suiteDigest: 'd1', tasks: names, prices: CATALOG, roots, nowMs: Date.now() });
}

/** A trial of the seed agent. */
export function aTrial({ run }: RemoteControl, task = 'one', attempt = 1): Action {
  return { kind: 'evaluate', agent: `${run.id}-a1`, task, attempt };
}

export function aProposal({ run }: RemoteControl): Action {
  return { kind: 'propose', parent: `${run.id}-a1`, editor: `${run.id}-a1` };
}
