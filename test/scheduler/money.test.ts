import { expect, it } from 'vitest';
import { BudgetExceeded } from '#archive/errors.ts';
import { temporaryDirectory } from '#test/archive/builders.ts';
import { type House, measuring, openHouse } from './house.ts';

const spec = { slots: 1, policy: measuring(12), budget: { usd: 0.001 } };

it('a call refused while other calls hold the money counts against the harness, and cancels nothing', async () => {
  using directory = temporaryDirectory();
  await using house = await openHouse({ home: directory.path, works: false });
  const { id } = await house.begin({ ...spec, slots: 2 }, 12);
  await house.until(() => house.archive.jobs.open(id).length === 2);
  const [one, other] = await Promise.all([claim(house, `${id}-t1`), claim(house, `${id}-t2`)]);
  house.archive.ledger.sent(reserve(house, one, 900));
  const refused = catching(() => reserve(house, other, 200));
  expect(refused).toMatchObject({ final: false });
  await house.control.release(other, refused.message, true);
  expect(house.archive.jobs.get(other.jobId)).toMatchObject({ state: 'ready', infraFailures: 1 });
  expect(house.notices(id)).toEqual([]);
});

it('a call refused for good ends the run, and its job is cancelled', async () => {
  using directory = temporaryDirectory();
  await using house = await openHouse({ home: directory.path, works: false });
  const { id } = await house.begin(spec, 12);
  await house.until(() => house.archive.jobs.open(id).length === 1);
  const lease = await claim(house, `${id}-t1`);
  const refused = catching(() => reserve(house, lease, 2_000));
  expect(refused).toMatchObject({ final: true });
  await house.control.release(lease, refused.message, true);
  expect(house.archive.trials.list(id)).toMatchObject([{ outcome: 'cancelled' }]);
  await house.until(() => house.run(id).state === 'finished');
  expect(house.run(id).reason).toMatch(/cannot pay for another model call/);
});

async function claim(house: House, jobId: `${string}-t${number}`) {
  const job = await house.control.claim(jobId, 'w');
  if (job === null) throw new Error(`${jobId} is not to be had.`);
  return job.lease;
}

function reserve({ archive, clock }: House, lease: Awaited<ReturnType<typeof claim>>, reservedUusd: number): number {
  const call = { role: 'trial', model: 'm', requestDigest: 'd', occurrence: 0 } as const;
  return archive.ledger.reserve({ ...call, lease, reservedUusd, nowMs: clock() });
}

function catching(act: () => unknown): BudgetExceeded {
  try {
    act();
  } catch (error) {
    if (error instanceof BudgetExceeded) return error;
  }
  throw new Error('Nothing was refused.');
}
