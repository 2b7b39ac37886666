import { describe, expect, it } from 'vitest';
import type { Archive } from '#archive/archive.ts';
import type { Lease, Run } from '#archive/schema.ts';
import type { Api } from '#services/api/server.ts';
import { createMetrics } from '#services/metrics/metrics.ts';
import { begin, newRun, testService, trial } from '#test/api/service.ts';

describe('GET /metrics', () => {
  it('speaks the text format of Prometheus, with a help and a type for every figure', async () => {
    await using service = await testService();
    const response = await service.api.inject('/metrics');
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const lines = response.body.split('\n');
    const typed = lines.filter((line) => line.startsWith('# TYPE clade_'));
    expect(typed.length).toBeGreaterThan(20);
    for (const line of typed) expect(lines.some((each) => each.startsWith(`# HELP ${line.split(' ')[2]} `))).toBe(true);
    expect(await figure(service.api, 'nodejs_eventloop_lag_seconds')).toBeGreaterThanOrEqual(0);
    expect(await figure(service.api, 'clade_disk_free_bytes')).toBeGreaterThan(0);
  });

  it('needs a token where tokens are set, and a viewer may look', async () => {
    const tokens = { admin: 'admin-token-of-a-test', viewer: 'viewer-token-of-a-test' };
    await using service = await testService({ access: { host: '127.0.0.1', port: 80, tokens } });
    expect((await service.api.inject('/metrics')).statusCode).toBe(401);
    const asked = { url: '/metrics', headers: { authorization: `Bearer ${tokens.viewer}` } };
    expect((await service.api.inject(asked)).statusCode).toBe(200);
  });

  it('tells runs by state, and how far the unfinished ones are', async () => {
    await using service = await testService();
    const { api, archive } = service;
    expect(await figure(api, 'clade_runs{state="running"}')).toBe(0);
    const run = await newRun(archive);
    trial(archive, run, { agent: `${run.id}-a1`, task: 'one', y: 1 });
    expect(await figure(api, 'clade_runs{state="running"}')).toBe(1);
    expect(await figure(api, `clade_run_trials_settled{run="${run.id}"}`)).toBe(1);
    archive.runs.setState(run.id, 'stopped', 'enough', 5);
    expect(await figure(api, 'clade_runs{state="running"}')).toBe(0);
    expect(await figure(api, 'clade_runs{state="stopped"}')).toBe(1);
    expect(await figure(api, `clade_run_trials_settled{run="${run.id}"}`)).toBeNull();
  });

  it('tells who holds the jobs, and forgets it when they are over', async () => {
    await using service = await testService();
    const { api, archive } = service;
    const run = await newRun(archive);
    const lease = evaluate(archive, run, 'one');
    expect(await figure(api, 'clade_jobs{state="leased",class="cpu"}')).toBe(1);
    expect(await figure(api, 'clade_worker_jobs{worker="test"}')).toBe(1);
    archive.jobs.release(lease, { reason: 'given back', infra: false, notBeforeMs: 0 }, 9);
    expect(await figure(api, 'clade_jobs{state="leased",class="cpu"}')).toBeNull();
    expect(await figure(api, 'clade_jobs{state="ready",class="cpu"}')).toBe(1);
    expect(await figure(api, 'clade_worker_jobs{worker="test"}')).toBeNull();
  });

  it('counts outcomes, requeues, ended leases and waits once each, however often it is asked', async () => {
    await using service = await testService();
    const { api, archive } = service;
    const run = await newRun(archive);
    trial(archive, run, { agent: `${run.id}-a1`, task: 'one', y: 1 });
    const { jobId } = evaluate(archive, run, 'two');
    archive.jobs.expire(jobId, 1_000);
    const again = archive.jobs.claim(jobId, 'other', 60_000, 3_000)!;
    archive.jobs.release(again, { reason: 'the harness failed', infra: true, notBeforeMs: 0 }, 4_000);
    for (let asked = 0; asked < 3; asked += 1) {
      expect(await figure(api, 'clade_trials_settled_total{outcome="resolved"}')).toBe(1);
      expect(await figure(api, 'clade_trials_settled_total{outcome="timeout"}')).toBe(0);
      expect(await figure(api, 'clade_jobs_claimed_total{worker="other"}')).toBe(1);
      expect(await figure(api, 'clade_job_requeues_total')).toBe(2);
      expect(await figure(api, 'clade_lease_expirations_total')).toBe(1);
      expect(await figure(api, 'clade_job_wait_seconds_count')).toBe(3);
      expect(await figure(api, 'clade_job_wait_seconds_sum')).toBeCloseTo(2, 1);
    }
  });

  it('counts a model call when it has ended, though later ones ended before', async () => {
    await using service = await testService();
    const { api, archive } = service;
    const run = await newRun(archive);
    const lease = evaluate(archive, run, 'one');
    const [slow, quick, unsent] = [
      reserve(archive, lease, 'a'),
      reserve(archive, lease, 'b'),
      reserve(archive, lease, 'c'),
    ];
    settle(archive, quick, 700);
    archive.ledger.release(unsent);
    expect(await figure(api, 'clade_model_calls_total{model="cheap",outcome="settled"}')).toBe(1);
    expect(await figure(api, 'clade_model_calls_total{model="cheap",outcome="released"}')).toBe(1);
    expect(await figure(api, 'clade_model_calls_open')).toBe(1);
    settle(archive, slow, 42_000);
    for (let asked = 0; asked < 2; asked += 1) {
      expect(await figure(api, 'clade_model_calls_total{model="cheap",outcome="settled"}')).toBe(2);
      expect(await figure(api, 'clade_model_calls_open')).toBe(0);
      expect(await figure(api, 'clade_model_call_duration_seconds_sum{model="cheap"}')).toBeCloseTo(42.7);
      expect(await figure(api, 'clade_model_call_duration_seconds_bucket{le="1",model="cheap"}')).toBe(1);
    }
    expect(await figure(api, 'clade_spend_dollars_total{role="trial",model="cheap"}')).toBeCloseTo(0.5);
    expect(await figure(api, 'clade_model_tokens_total{role="trial",model="cheap",direction="output"}')).toBe(20);
  });

  it('reads on where it was, also over more events than it reads at once', async () => {
    await using service = await testService();
    const { api, archive } = service;
    const run = await newRun(archive);
    archive.transaction(() => {
      for (let n = 0; n < 5_000; n += 1) archive.events.notice(run.id, 'info', 'many', 'one of many', n);
    });
    expect(await figure(api, 'clade_notices_total{level="info",code="many"}')).toBe(5_000);
    archive.events.notice(run.id, 'info', 'many', 'one more', 1);
    expect(await figure(api, 'clade_notices_total{level="info",code="many"}')).toBe(5_001);
  });

  it('counts from the start of the process on, but sums up the money of the whole archive', async () => {
    await using service = await testService();
    const { archive } = service;
    const run = await newRun(archive);
    const lease = evaluate(archive, run, 'one');
    settle(archive, reserve(archive, lease, 'a'), 100);
    const later = await createMetrics({ archive }).text();
    expect(valueIn(later, 'clade_spend_dollars_total{role="trial",model="cheap"}')).toBeCloseTo(0.25);
    expect(valueIn(later, 'clade_model_calls_total{model="cheap",outcome="settled"}')).toBeNull();
  });

  it('tells slots and states of workers, and whether Redis can be reached, where there are such', async () => {
    await using service = await testService();
    const { archive } = service;
    expect(valueIn(await createMetrics({ archive }).text(), 'clade_redis_up')).toBeNull();
    let up = true;
    const workers = [
      { name: 'one', slots: 8, state: 'active' },
      { name: 'two', slots: 4, state: 'cordoned' },
    ];
    const metrics = createMetrics({ archive, workers: () => workers, redisIsUp: () => up });
    const text = await metrics.text();
    expect(valueIn(text, 'clade_worker_slots{worker="one"}')).toBe(8);
    expect(valueIn(text, 'clade_worker_jobs{worker="two"}')).toBe(0);
    expect(valueIn(text, 'clade_workers{state="cordoned"}')).toBe(1);
    expect(valueIn(text, 'clade_redis_up')).toBe(1);
    up = false;
    workers.pop();
    const after = await metrics.text();
    expect(valueIn(after, 'clade_redis_up')).toBe(0);
    expect(valueIn(after, 'clade_worker_slots{worker="two"}')).toBeNull();
  });
});

function evaluate(archive: Archive, run: Run, task: string): Lease {
  return begin(archive, run, { kind: 'evaluate', agent: `${run.id}-a1`, task, attempt: 1 });
}

function reserve(archive: Archive, lease: Lease, requestDigest: string): number {
  const call = { role: 'trial', model: 'cheap', occurrence: 0, reservedUusd: 300_000, nowMs: 5 } as const;
  const id = archive.ledger.reserve({ ...call, lease, requestDigest });
  archive.ledger.sent(id);
  return id;
}

function settle(archive: Archive, call: number, latencyMs: number): void {
  const replyBlob = archive.blobs.write('the reply');
  archive.ledger.settle(call, { spentUusd: 250_000, inputTokens: 100, outputTokens: 10, latencyMs, replyBlob });
}

async function figure(api: Api, name: string): Promise<number | null> {
  return valueIn((await api.inject('/metrics')).body, name);
}

/** Null: not there. */
function valueIn(text: string, name: string): number | null {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? null : Number(line.slice(name.length + 1));
}
