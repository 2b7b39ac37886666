import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { describe, expect, inject, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { createDrivers } from '#sandbox/drivers.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { curious } from '#test/e2e/curious-model.ts';
import { type Payments, paymentsOf } from '#test/e2e/payments.ts';
import { openFleet } from '#test/fleet/processes.ts';
import { startProvider } from '#test/gateway/stand-in-provider.ts';
import { postRun, runIn, startService, temporaryHome } from '#test/service-process.ts';

interface Case {
  sandbox: DriverName;
  kills: number;
  available: boolean;
}

const cases: Case[] = [
  { sandbox: 'process', kills: 12, available: true },
  { sandbox: 'docker', kills: 8, available: inject('docker').available },
];

describe.each(cases)(
  'a run in $sandbox sandboxes, with its service killed at seeded moments',
  ({ sandbox, kills, available }) => {
    const options = { timeout: 900_000, skip: !available };

    it('is served what it paid before, in trials and in proposals', options, async () => {
      const spec = { policy: { kind: 'hgm', alpha: 1 }, budget: { trials: 50, proposals: 6 } };
      const payments = await killed({ ...spec, sandbox }, kills, {});
      tell(`${sandbox}, rehearsal`, payments);
      expectPaidOnce(payments);
      const { trial, diagnosis, selfEdit, viability } = payments.byRole;
      expect(trial.again, 'calls of trials that were made again').toBeGreaterThan(0);
      expect(diagnosis.again + selfEdit.again + viability.again, 'those of proposals').toBeGreaterThan(0);
    });

    it('is served what it paid before, by a model that looks at clocks, tests and all there is', options, async () => {
      await using provider = await startProvider(curious);
      const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 10, contextTokens: 200_000, maxOutputTokens: 1_000 };
      const catalog = { curious: { model: 'curious', baseUrl: provider.baseUrl, ...price } };
      const models = { trial: 'curious', diagnosis: 'rehearsal', selfEdit: 'rehearsal' };
      const spec = { models, allowUnsandboxed: sandbox === 'process', budget: { trials: 8, proposals: 1 } };
      const payments = await killed({ ...spec, sandbox }, kills, catalog);
      tell(`${sandbox}, a curious model`, payments);
      expectPaidOnce(payments);
    });
  },
);

describe.each(cases)('a run in $sandbox sandboxes over two workers', ({ sandbox, kills, available }) => {
  const options = { timeout: 900_000, skip: !available };

  it('is served what it paid before, when now a worker is killed and now control', options, async () => {
    await createDrivers()[sandbox].prepare('clade/base:1');
    await using fleet = await openFleet();
    const start = (name: string) => fleet.worker(name, ['--slots', '2']);
    const workers = { a: start('a'), b: start('b') };
    for (const name of ['a', 'b']) await fleet.until(name, ({ state }) => state === 'active');
    const budget = { trials: 50, proposals: 6 };
    const spec = {
      ...{ suite: 'katas', sandbox, slots: 4, randomSeed: 12 },
      policy: { kind: 'hgm', alpha: 1 },
      budget,
    };
    const { id } = await postRun(fleet.url, spec);
    const random = xoroshiro128plus(20_260_403);
    for (let kill = 1; kill <= kills; kill += 1) {
      await paidSomeMore(fleet.home, id, random);
      if (kill % 3 === 0) await fleet.restartControl('SIGKILL');
      else {
        const name = kill % 3 === 1 ? 'a' : 'b';
        workers[name].kill('SIGKILL');
        await workers[name].ended();
        workers[name] = start(name);
      }
    }
    expect((await runIn(fleet.url, id, ['finished', 'failed'], 600_000)).state).toBe('finished');
    const payments = await paymentsIn(fleet.home, id);
    tell(`${sandbox}, two workers`, payments);
    expectPaidOnce(payments, 4);
  });
});

/** Does a run whose service is killed again and again soon after it has paid for some calls, and reads what was paid. */
async function killed(spec: { sandbox: DriverName }, kills: number, catalog: object): Promise<Payments> {
  await createDrivers()[spec.sandbox].prepare('clade/base:1');
  using temporary = temporaryHome();
  const { home } = temporary;
  const file = join(home, 'models.json');
  writeFileSync(file, JSON.stringify(catalog));
  const env = { CLADE_MODELS: file, OPENAI_API_KEY: 'none' };
  const random = xoroshiro128plus(20_260_402);
  let runId: string | null = null;
  for (let kill = 1; kill <= kills; kill += 1) {
    await using service = await startService(home, env);
    runId ??= (await postRun(service.url, { suite: 'katas', slots: 2, randomSeed: 11, ...spec })).id;
    await paidSomeMore(home, runId, random);
    await service.end('SIGKILL');
  }
  await using service = await startService(home, env);
  expect((await runIn(service.url, runId!, ['finished', 'failed'], 400_000)).state).toBe('finished');
  expect((await service.end('SIGTERM')).exitCode).toBe(0);
  return paymentsIn(home, runId!);
}

async function paymentsIn(home: string, runId: string): Promise<Payments> {
  await using archive = await openArchive(home, { readOnly: true });
  const { spentUusd, reservedUusd } = archive.runs.get(runId)!;
  expect(archive.ledger.spend(runId).reduce((sum, row) => sum + row.spentUusd, 0)).toBe(spentUusd);
  expect(reservedUusd).toBe(0);
  return paymentsOf(archive, runId);
}

async function paidSomeMore(home: string, runId: string, random: RandomGenerator): Promise<void> {
  await using archive = await openArchive(home, { readOnly: true });
  const paid = () => archive.ledger.spend(runId).reduce((sum, { calls }) => sum + calls, 0);
  const enough = paid() + uniformInt(random, 1, 14);
  while (paid() < enough && archive.runs.get(runId)?.state === 'running') await sleep(5);
  await sleep(uniformFloat64(random) * 100);
}

function expectPaidOnce({ all, paidTwice, differences }: Payments, atLeast = 12): void {
  expect(all.again, 'calls that were paid before and made again').toBeGreaterThanOrEqual(atLeast);
  expect(all.served / all.again, differences.join('\n')).toBeGreaterThanOrEqual(0.95);
  expect(paidTwice).toEqual([]);
}

/** The figures, for whoever reads along. */
function tell(what: string, { byRole, all, ambiguous, rerunJobs, differences }: Payments): void {
  const roles = Object.entries({ all, ...byRole }).map(([role, { again, served }]) => `${role} ${served}/${again}`);
  const rest = `${rerunJobs} jobs done again, ${ambiguous} calls ambiguous`;
  process.stdout.write(`${what}: served ${roles.join(', ')}; ${rest}\n${differences.join('\n')}\n`);
}
