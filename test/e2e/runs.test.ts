import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Run, type RunId, RunSpec } from '#archive/schema.ts';
import { compose, type Service } from '#services/compose.ts';
import { readConfig } from '#services/config.ts';
import { replay } from '#services/scheduler/replay.ts';
import { postRun, runIn, startService, temporaryHome } from '#test/service-process.ts';

const tasks = ['csv-quotes', 'date-range', 'lru-touch', 'config-zero', 'mime-lookup', 'tax-report'];
const small = { suite: 'katas', tasks, sandbox: 'process', budget: { trials: 14 } } as const;

describe('a run', { timeout: 900_000 }, () => {
  it('gives the same lineage and scores again with one slot and the same random seed', async () => {
    using temporary = temporaryHome();
    await using service = await compose(readConfig({ CLADE_HOME: temporary.home, CLADE_LOG: 'silent' }));
    const [first, other] = await Promise.all([
      finished(service, { ...small, slots: 1, randomSeed: 3 }),
      finished(service, { ...small, slots: 1, randomSeed: 4 }),
    ]);
    const second = await finished(service, { ...small, slots: 1, randomSeed: 3 });
    const lineage = lineageOf(service, first.id);
    expect(lineage.length).toBeGreaterThan(2);
    expect(lineageOf(service, second.id)).toEqual(lineage);
    expect(trialsOf(service, second.id)).toEqual(trialsOf(service, first.id));
    expect(lineageOf(service, other.id)).not.toEqual(lineage);
  });

  it('replays to the same decisions from its journal, with several slots', async () => {
    using temporary = temporaryHome();
    await using service = await compose(readConfig({ CLADE_HOME: temporary.home, CLADE_LOG: 'silent' }));
    const run = await finished(service, { ...small, slots: 4, randomSeed: 5 });
    const { decisions, firstDifference } = replay(service.archive, run.id)!;
    expect(decisions).toBeGreaterThanOrEqual(19);
    expect(firstDifference).toBeNull();
  });

  it.each(['dgm', 'greedy', 'uniform'] as const)('finishes under the %s policy', async (kind) => {
    using temporary = temporaryHome();
    await using service = await compose(readConfig({ CLADE_HOME: temporary.home, CLADE_LOG: 'silent' }));
    const run = await finished(service, { ...small, policy: { kind }, slots: 2, budget: { trials: 14, proposals: 3 } });
    expect(run.reason).toMatch(/14 of 14 trials|3 of 3 proposals/);
    expect(replay(service.archive, run.id)?.firstDifference).toBeNull();
  });

  it('lets a cheap model do the trials and a strong one the edits', async () => {
    using temporary = temporaryHome();
    const rehearsed = {
      upstream: 'rehearsal',
      model: 'rehearsal',
      outputUsdPerMTok: 1,
      contextTokens: 100_000,
      maxOutputTokens: 4_000,
    };
    const catalog = { cheap: { ...rehearsed, inputUsdPerMTok: 0.1 }, strong: { ...rehearsed, inputUsdPerMTok: 1 } };
    const file = join(temporary.home, 'models.json');
    writeFileSync(file, JSON.stringify(catalog));
    await using service = await compose(
      readConfig({ CLADE_HOME: temporary.home, CLADE_LOG: 'silent', CLADE_MODELS: file }),
    );
    const models = { trial: 'cheap', diagnosis: 'strong', selfEdit: 'strong' };
    const run = await finished(service, { ...small, models });
    expect(service.archive.agents.lineage(run.id).length).toBeGreaterThan(1);
    const spend = service.archive.ledger.spend(run.id).map(({ role, model }) => `${role} ${model}`);
    expect(spend.sort()).toEqual([
      'diagnosis strong',
      'selfEdit strong',
      'trial cheap',
      'viability cheap',
      'viability strong',
    ]);
  });

  it('stops at a money budget without overspending it, and says so', async () => {
    using temporary = temporaryHome();
    await using service = await compose(readConfig({ CLADE_HOME: temporary.home, CLADE_LOG: 'silent' }));
    const run = await finished(service, { ...small, slots: 4, budget: { usd: 0.02 } });
    expect(run.reason).toMatch(/budget/);
    expect(run.spentUusd).toBeGreaterThan(0);
    expect(run.spentUusd).toBeLessThanOrEqual(20_000);
  });
});

describe('an operator', { timeout: 600_000 }, () => {
  it('pauses, resumes and stops a run over HTTP', async () => {
    using temporary = temporaryHome();
    await using service = await startService(temporary.home);
    const { id } = await postRun(service.url, small);
    const order = (verb: string) => fetch(new URL(`/v1/runs/${id}/${verb}`, service.url), { method: 'POST' });
    expect((await order('pause')).status).toBe(200);
    const paused = await runIn(service.url, id, ['paused']);
    await sleep(300);
    expect((await runIn(service.url, id, ['paused'])).counts).toEqual(paused.counts);
    expect((await order('resume')).status).toBe(200);
    expect((await order('resume')).status).toBe(409);
    expect((await order('stop')).status).toBe(200);
    const stopped = await runIn(service.url, id, ['stopped']);
    expect(stopped.reason).toMatch(/operator/);
    expect((await order('resume')).status).toBe(409);
  });

  it('ends the service with SIGTERM within 10 s, and the run goes on at the next start', async () => {
    using temporary = temporaryHome();
    let runId: RunId;
    {
      await using service = await startService(temporary.home);
      runId = (await postRun(service.url, small)).id;
      await sleep(1_500);
      const { exitCode, tookMs } = await service.end('SIGTERM');
      expect(exitCode).toBe(0);
      expect(tookMs).toBeLessThan(10_000);
    }
    await using service = await startService(temporary.home);
    expect((await runIn(service.url, runId, ['finished'])).counts.trialsSettled).toBeGreaterThanOrEqual(14);
  });
});

async function finished(service: Service, spec: object): Promise<Run> {
  const run = await service.scheduler.createRun(RunSpec.parse(spec), Date.now());
  const ended = Promise.withResolvers<Run>();
  const look = () => {
    const now = service.archive.runs.get(run.id)!;
    if (now.state === 'finished' || now.state === 'failed' || now.state === 'paused') ended.resolve(now);
  };
  const unsubscribe = service.archive.events.onAppend(look);
  try {
    return await ended.promise;
  } finally {
    unsubscribe();
  }
}

function lineageOf(service: Service, runId: RunId) {
  return service.archive.agents
    .lineage(runId)
    .map(({ ordinal, commit, n, s, cladeN, cladeS }) => ({ ordinal, commit, n, s, cladeN, cladeS }));
}

function trialsOf(service: Service, runId: RunId) {
  return service.archive.trials
    .list(runId, { limit: 10_000 })
    .map(({ ordinal, task, outcome, y }) => ({ ordinal, task, outcome, y }));
}
