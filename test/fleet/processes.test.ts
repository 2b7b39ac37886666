import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { tmpdir } from 'node:os';
import Docker from 'dockerode';
import { describe, expect, inject, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import type { Event, RunId } from '#archive/schema.ts';
import { createDrivers } from '#sandbox/drivers.ts';
import { replay } from '#services/scheduler/replay.ts';
import { PROTOCOL } from '#services/worker/fleet.ts';
import { clade } from '#test/cli/in-process.ts';
import { openRedisServer } from '#test/provision/redis.ts';
import { postRun, runIn } from '#test/service-process.ts';
import { openFleet } from './processes.ts';
import { aWorker } from './workers.ts';

const spec = {
  ...{ suite: 'katas', sandbox: 'process', slots: 4, randomSeed: 7, finalMeasure: false },
  policy: { kind: 'hgm', alpha: 1 },
  budget: { trials: 20, proposals: 3 },
};

describe('a run over two workers', () => {
  it('finishes when one of them is killed in the middle, and nothing is lost, done twice or left behind', {
    timeout: 300_000,
  }, async () => {
    await using fleet = await openFleet();
    const killed = fleet.worker('killed', ['--slots', '2']);
    fleet.worker('other', ['--slots', '2']);
    await fleet.until('killed', ({ state }) => state === 'active');
    await fleet.until('other', ({ state }) => state === 'active');
    const { id } = await postRun(fleet.url, spec);
    const { jobs } = await fleet.until('killed', ({ busy }) => busy > 0);
    killed.kill('SIGKILL');
    await killed.ended();
    expect((await runIn(fleet.url, id, ['finished', 'failed'])).state).toBe('finished');
    expect((await fleet.until('killed', ({ state }) => state === 'away')).busy).toBe(0);

    await using archive = await openArchive(fleet.home, { readOnly: true });
    const trials = archive.trials.list(id);
    expect(trials.length).toBeGreaterThanOrEqual(10);
    expect(archive.proposals.list(id).length).toBeGreaterThanOrEqual(1);
    expect(trials.filter(({ outcome }) => outcome === null || outcome === 'infra' || outcome === 'cancelled')).toEqual(
      [],
    );
    const claims = claimsIn(archive.events.after({ runId: id, seq: 0 }));
    const workersOf = jobs.map((job) => claims.filter((claim) => claim.job === job).map(({ worker }) => worker));
    expect(workersOf.some((workers) => workers.includes('killed') && workers.includes('other'))).toBe(true);
    expect(new Set(claims.map(({ worker }) => worker))).toEqual(new Set(['killed', 'other']));
    const { spentUusd, reservedUusd } = archive.runs.get(id)!;
    expect(archive.ledger.spend(id).reduce((sum, row) => sum + row.spentUusd, 0)).toBe(spentUusd);
    expect(reservedUusd).toBe(0);
    expect(replay(archive, id).firstDifference).toBeNull();
    await expect.poll(() => sandboxesOf(archive.ownerId), { timeout: 120_000, interval: 500 }).toEqual([]);
  });

  it('goes on when control is killed and started again: the workers wait for it', { timeout: 300_000 }, async () => {
    await using fleet = await openFleet();
    const workers = ['w1', 'w2'].map((name) => fleet.worker(name, ['--slots', '2']));
    for (const name of ['w1', 'w2']) await fleet.until(name, ({ state }) => state === 'active');
    const { id } = await postRun(fleet.url, spec);
    const stages = async () => await (await fetch(`${fleet.url}/v1/runs/${id}/events?follow=false`)).text();
    await expect.poll(stages, { timeout: 60_000 }).toMatch(/event: progress\ndata: .*"solving"/);
    const killedMs = Date.now();
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await fleet.restartControl(signal);
      for (const name of ['w1', 'w2']) await fleet.until(name, ({ state }) => state === 'active');
    }
    expect((await runIn(fleet.url, id, ['finished', 'failed'])).state).toBe('finished');
    for (const worker of workers) expect(worker.printed()).toContain('control is back');

    await using archive = await openArchive(fleet.home, { readOnly: true });
    const trials = archive.trials.list(id);
    expect(trials.length).toBeGreaterThanOrEqual(10);
    expect(trials.filter(({ y }) => y === null)).toEqual([]);
    expect(replay(archive, id).firstDifference).toBeNull();
    const events = archive.events.after({ runId: id, seq: 0 });
    const claims = claimsIn(events);
    const before = claimsIn(events.filter(({ at }) => at < killedMs)).map(({ job }) => job);
    const after = events.flatMap(({ at, data }) =>
      data.kind === 'trial-settled' && at > killedMs ? [data.trial] : [],
    );
    const wentOn = after.filter(
      (job) => before.includes(job) && claims.filter((claim) => claim.job === job).length === 1,
    );
    expect(wentOn.length).toBeGreaterThan(0);
  });

  it('goes on when one of them stands still for longer than its leases: what it does later changes nothing', {
    timeout: 300_000,
  }, async () => {
    await using fleet = await openFleet();
    const still = fleet.worker('still', ['--slots', '2']);
    fleet.worker('other', ['--slots', '2']);
    for (const name of ['still', 'other']) await fleet.until(name, ({ state }) => state === 'active');
    const { id } = await postRun(fleet.url, spec);
    await fleet.until('still', ({ busy }) => busy > 0);
    still.kill('SIGSTOP');
    await fleet.until('still', ({ state, busy }) => state === 'away' && busy === 0);
    still.kill('SIGCONT');
    await fleet.until('still', ({ state }) => state === 'active');
    expect((await runIn(fleet.url, id, ['finished', 'failed'])).state).toBe('finished');

    await using archive = await openArchive(fleet.home, { readOnly: true });
    const events = archive.events.after({ runId: id, seq: 0 });
    expect(tookBack(events).some((text) => text.endsWith('its lease ended'))).toBe(true);
    const settled = events.flatMap(({ data }) => (data.kind === 'trial-settled' ? [data.trial] : []));
    expect(settled).toHaveLength(new Set(settled).size);
    expect(archive.trials.list(id).filter(({ y }) => y === null)).toEqual([]);
    expect(archive.runs.get(id)!.reservedUusd).toBe(0);
    expect(replay(archive, id).firstDifference).toBeNull();
  });

  it('goes on when one of them is told to end: its jobs are given back at once', { timeout: 300_000 }, async () => {
    await using fleet = await openFleet();
    const leaving = fleet.worker('leaving', ['--slots', '2']);
    await fleet.until('leaving', ({ state }) => state === 'active');
    const { id } = await postRun(fleet.url, spec);
    await fleet.until('leaving', ({ busy }) => busy > 0);
    leaving.kill('SIGINT');
    expect(await leaving.ended()).toBe(0);
    expect(leaving.printed()).toContain('Worker leaving has ended.');
    expect(await fleet.until('leaving', ({ state }) => state === 'left')).toMatchObject({ busy: 0 });
    fleet.worker('other', ['--slots', '2']);
    expect((await runIn(fleet.url, id, ['finished', 'failed'])).state).toBe('finished');
  });
});

describe.skipIf(!inject('redis').available)('a run over Redis', () => {
  const sandbox = inject('docker').available ? 'docker' : 'process';
  it(`in ${sandbox} sandboxes finishes while a worker is killed, Redis is wiped, and then goes for good`, {
    timeout: 600_000,
  }, async () => {
    if (sandbox === 'docker') await createDrivers().docker.prepare('clade/base:1');
    await using redis = await openRedisServer();
    await using fleet = await openFleet({ CLADE_REDIS: redis.url });
    const killed = fleet.worker('killed', ['--slots', '2']);
    fleet.worker('other', ['--slots', '2']);
    for (const name of ['killed', 'other']) await fleet.until(name, ({ state }) => state === 'active');
    const { id } = await postRun(fleet.url, { ...spec, sandbox });
    await fleet.until('killed', ({ busy }) => busy > 0);
    await redis.command('flushall');
    killed.kill('SIGKILL');
    await killed.ended();
    await fleet.until('other', ({ busy }) => busy > 0);
    await redis.kill();
    expect((await runIn(fleet.url, id, ['finished', 'failed'], 500_000)).state).toBe('finished');

    await using archive = await openArchive(fleet.home, { readOnly: true });
    expect(archive.trials.list(id).filter(({ y }) => y === null)).toEqual([]);
    const { spentUusd, reservedUusd } = archive.runs.get(id)!;
    expect(archive.ledger.spend(id).reduce((sum, row) => sum + row.spentUusd, 0)).toBe(spentUusd);
    expect(reservedUusd).toBe(0);
    expect(replay(archive, id).firstDifference).toBeNull();
    await expect.poll(() => remainsOf(archive.ownerId), { timeout: 120_000, interval: 500 }).toEqual([]);
  });
});

describe('operators', () => {
  it('cordon, uncordon, drain and remove workers, by name', { timeout: 240_000 }, async () => {
    await using fleet = await openFleet();
    const at = ['--home', fleet.home];
    expect((await clade(['workers', ...at])).stdout).toContain(`clade worker --control ${fleet.url}`);
    const drained = fleet.worker('a', ['--slots', '1', '--labels', 'rack-4,spare']);
    const removed = fleet.worker('b', ['--slots', '1']);
    for (const name of ['a', 'b']) await fleet.until(name, ({ state }) => state === 'active');
    const listed = (await clade(['workers', ...at])).stdout;
    expect(listed).toMatch(/^worker\s+state\s+slots/);
    expect(listed).toMatch(/^a\s+active\s+0\/1 .* rack-4 spare/m);
    expect((await clade(['status', ...at])).stdout).toContain('Workers: 2 of 2 here, 0 of 2 slots busy.');

    expect((await clade(['workers', 'cordon', 'a', ...at])).stdout).toBe('Worker a is cordoned.\n');
    expect((await clade(['workers', 'cordon', 'b', ...at])).stdout).toBe('Worker b is cordoned.\n');
    const { id } = await postRun(fleet.url, spec);
    await expect
      .poll(() => notices(fleet.home, id), { timeout: 60_000 })
      .toContainEqual(expect.stringMatching(/No worker/));
    expect((await clade(['workers', 'uncordon', 'a', ...at])).stdout).toBe('Worker a is active.\n');
    await fleet.until('a', ({ busy }) => busy > 0);
    expect((await clade(['workers', 'drain', 'a', '--json', ...at])).stdout).toContain('"state":"draining"');
    expect(await drained.ended()).toBe(0);
    expect(drained.printed()).toContain('Worker a was drained and ends.');
    expect((await clade(['workers', 'remove', 'b', ...at])).stdout).toBe('Worker b is removed.\n');
    expect(await removed.ended()).toBe(0);
    const refused = fleet.worker('b');
    expect(await refused.ended()).toBe(2);
    expect(refused.printed()).toMatch(/^clade: Worker b is refused: an operator removed it/m);
    expect((await clade(['workers', 'remove', 'b', ...at])).stdout).toBe('Worker b is forgotten.\n');
    expect(await clade(['workers', 'drain', 'b', ...at])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('There is no worker "b". Known: a.'),
    });
    const { claims, epochs } = await claimsOf(fleet.home, id);
    expect(new Set(claims)).toEqual(new Set(['a']));
    expect(new Set(epochs)).toEqual(new Set([1]));
  });

  it('see why a worker takes no jobs', { timeout: 120_000 }, async () => {
    await using fleet = await openFleet();
    const full = fleet.worker('full', ['--min-free', '999999999']);
    await fleet.until('full', ({ state }) => state === 'unwell');
    const { id } = await postRun(fleet.url, spec);
    expect((await clade(['workers', '--home', fleet.home])).stdout).toMatch(
      /full takes no jobs: \d+ MiB free in .*, needs 999999999 MiB/,
    );
    expect(full.printed()).toMatch(/full: takes no jobs: \d+ MiB free/);
    const doctor = await clade(['doctor', '--json', '--home', fleet.home], { CLADE_REDIS: 'redis://127.0.0.1:1' });
    expect(JSON.parse(doctor.stdout).checks).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          area: 'worker',
          name: 'full',
          ok: false,
          detail: expect.stringContaining('takes no jobs'),
        }),
        expect.objectContaining({ area: 'redis', ok: false, detail: expect.stringContaining('ECONNREFUSED') }),
      ]),
    );
    fleet.worker('well', ['--slots', '4']);
    expect((await runIn(fleet.url, id, ['finished', 'failed'])).state).toBe('finished');
    expect(new Set((await claimsOf(fleet.home, id)).claims)).toEqual(new Set(['well']));
  });
});

describe('a worker', () => {
  it('needs the token of its control, which opens nothing else', { timeout: 120_000 }, async () => {
    const tokens = { CLADE_ADMIN_TOKEN: 'a'.repeat(16), CLADE_WORKER_TOKEN: 'w'.repeat(16) };
    await using fleet = await openFleet(tokens);
    const without = fleet.worker('without');
    expect(await without.ended()).toBe(2);
    expect(without.printed()).toMatch(/^clade: Control at .* does not take this worker's token/m);
    fleet.worker('with', ['--slots', '1'], { CLADE_WORKER_TOKEN: tokens.CLADE_WORKER_TOKEN });
    await fleet.until('with', ({ state }) => state === 'active');
    const headers = { authorization: `Bearer ${tokens.CLADE_WORKER_TOKEN}` };
    expect((await fetch(`${fleet.url}/v1/runs`, { headers })).status).toBe(403);
  });

  it('of another version is refused with both versions', { timeout: 120_000 }, async () => {
    await using fleet = await openFleet();
    const join = async (body: object) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${fleet.url}/v1/workers`, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, ...((await response.json()) as { code?: string; detail?: string }) };
    };
    const future = { name: 'w', version: '9.9.9', protocol: PROTOCOL + 1, shape: 'of the future' };
    expect(await join(future)).toMatchObject({ status: 409, code: 'worker-refused' });
    expect((await join(future)).detail).toMatch(/it is Clade 9\.9\.9 \(protocol 2\), and control is \d+\.\d+\.\d+ /);
    expect(await join(aWorker({ name: 'embedded' }))).toMatchObject({ status: 409, code: 'worker-refused' });
  });

  it('says what is wrong with what it was told', async () => {
    expect(await clade(['worker'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--control http://'),
    });
    expect(await clade(['worker', '--control', 'somewhere'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('CLADE_CONTROL: must look like http://control.example:7777'),
    });
    expect((await clade(['worker', '--control', 'http://h', '--token', 'short'])).stderr).toContain(
      'CLADE_WORKER_TOKEN',
    );
    expect((await clade(['worker', '--control', 'http://h', '--slots', '0'])).exitCode).toBe(2);
  });
});

function claimsIn(events: readonly Event[]) {
  return events.flatMap(({ data }) => (data.kind === 'job-claimed' ? [data] : []));
}

/** Jobs that were taken from a worker, and why. */
function tookBack(events: readonly Event[]) {
  return events.flatMap(({ data }) => (data.kind === 'job-requeued' ? [`${data.job}: ${data.reason}`] : []));
}

async function claimsOf(home: string, runId: RunId) {
  await using archive = await openArchive(home, { readOnly: true });
  const claims = claimsIn(archive.events.after({ runId, seq: 0 }));
  return { claims: claims.map(({ worker }) => worker), epochs: claims.map(({ epoch }) => epoch) };
}

async function notices(home: string, runId: RunId): Promise<string[]> {
  await using archive = await openArchive(home, { readOnly: true });
  const events = archive.events.after({ runId, seq: 0 });
  return events.flatMap(({ data }) => (data.kind === 'notice' ? [data.message] : []));
}

/** What is left of sandboxes of this owner: containers, and directories of the process driver. */
async function remainsOf(ownerId: string): Promise<string[]> {
  const filters = { label: [`dev.clade.owner=${ownerId}`] };
  const containers = inject('docker').available ? await new Docker().listContainers({ all: true, filters }) : [];
  return [...containers.map(({ Id }) => Id), ...sandboxesOf(ownerId)];
}

function sandboxesOf(ownerId: string): string[] {
  return globSync(`clade-${createHash('sha256').update(ownerId).digest('hex').slice(0, 12)}-*`, { cwd: tmpdir() });
}
