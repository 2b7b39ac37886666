import { expect, it } from 'vitest';
import type { ProposalId } from '#archive/schema.ts';
import { proposalResult, temporaryDirectory, trialResult } from '#test/archive/builders.ts';
import { openHouse } from './house.ts';

it('a proposal that is done again is told the same of its siblings, whatever the clock did meanwhile', async () => {
  using directory = temporaryDirectory();
  await using house = await openHouse({ home: directory.path, works: false, nowMs: 50_000 });
  const spec = { slots: 3, policy: { kind: 'hgm', firstChildren: 5 } };
  const { id } = await house.begin(spec, 1);
  const p = (n: number): ProposalId => `${id}-p${n}`;
  await house.until(() => house.archive.jobs.open(id).length > 0);
  await house.control.complete((await house.control.claim(`${id}-t1`, 'w'))!.lease, trialResult(0));
  await house.until(() => house.archive.jobs.open(id).length === 3);
  await end(p(1), 'first');
  await house.until(() => house.archive.proposals.get(p(4)) !== null);
  const before = await house.control.claim(p(4), 'w');
  expect(before).toMatchObject({ tried: [{ title: 'first', outcome: 'empty' }] });
  house.pass(-10_000);
  await end(p(2), 'second');
  await house.control.release(before!.lease, 'the worker is shutting down', false);
  expect(await house.control.claim(p(4), 'w')).toMatchObject({ tried: [{ title: 'first', outcome: 'empty' }] });

  async function end(proposal: ProposalId, title: string) {
    const { lease } = (await house.control.claim(proposal, 'w'))!;
    await house.control.complete(lease, proposalResult({ outcome: 'empty', title }));
  }
});
