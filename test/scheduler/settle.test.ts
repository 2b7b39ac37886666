import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Archive } from '#archive/archive.ts';
import { openArchive } from '#archive/archive.ts';
import type { Lease, TrialResult } from '#archive/schema.ts';
import { settle } from '#services/scheduler/settle.ts';
import {
  beginProposal,
  beginTrial,
  createRun,
  proposalResult,
  temporaryDirectory,
  trialResult,
  writeFiles,
} from '#test/archive/builders.ts';

describe('settling', () => {
  it('keeps the texts of a trial, and what follows from it', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    const result = { ...trialResult(1), patch: 'the patch', transcript: 'Grüße', graderLog: null };
    expect(await settle(archive, lease, result, 9)).toBe(true);
    const trial = archive.trials.get(`${run.id}-t1`)!;
    expect(trial).toMatchObject({ outcome: 'resolved', settledAt: 9, graderLogBlob: null });
    expect([trial.patchBlob, trial.transcriptBlob].map((name) => archive.blobs.readText(name!))).toEqual([
      'the patch',
      'Grüße',
    ]);
    expect(archive.agents.get(`${run.id}-a1`)).toMatchObject({ n: 1, s: 1 });
  });

  it('changes nothing for a stale lease, not even beside the one that counts', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    const lease = beginTrial(archive, { agent: `${run.id}-a1` });
    const twice = await Promise.all([1, 1].map((y) => settle(archive, lease, trialResult(y), 9)));
    expect(twice.toSorted()).toEqual([false, true]);
    expect(await settle(archive, lease, trialResult(0), 10)).toBe(false);
    expect(archive.agents.get(`${run.id}-a1`)).toMatchObject({ n: 1, s: 1 });
  });

  it('shares files and transactions among many at once, and leaves the event loop free meanwhile', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive, { tasks: Array.from({ length: 16 }, (_, i) => `t${i}`) });
    const leases = Array.from({ length: 16 }, (_, i) => beginTrial(archive, { agent: `${run.id}-a1`, task: `t${i}` }));
    await Promise.resolve();
    let [transactions, turns, done] = [0, 0, false];
    archive.events.onAppend(() => {
      transactions += 1;
    });
    const turning = (async () => {
      for (; !done; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    })();
    const settled = await Promise.all(leases.map((lease) => settle(archive, lease, withTexts(lease), 9)));
    done = true;
    await turning;
    expect(settled).toEqual(leases.map(() => true));
    expect(transactions).toBeLessThan(8);
    expect(globSync('??/*', { cwd: join(archive.home, 'blobs') }).length).toBeLessThan(8);
    expect(turns).toBeGreaterThan(2);
    const kept = archive.trials.list(run.id).map((one) => archive.blobs.readText(one.transcriptBlob!));
    expect(kept).toEqual(leases.map((lease) => withTexts(lease).transcript));
  });

  it('lets a viable child join with its commit, and names it in git', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(join(directory.path, 'home'));
    const seed = await archive.repository.commitSeed(writeFiles(join(directory.path, 'seed'), { 'main.ts': 'one\n' }));
    const run = createRun(archive, seed);
    const lease = beginProposal(archive, `${run.id}-a1`);
    const { tree } = await staged(archive, seed.commit);
    const result = proposalResult({ tree, patch: childPatch, transcript: 'how it went' });
    expect(await settle(archive, lease, result, 9)).toBe(true);
    const child = archive.agents.get(`${run.id}-a2`)!;
    expect(child).toMatchObject({ parentId: `${run.id}-a1`, tree });
    expect(archive.blobs.readText(archive.proposals.get(`${run.id}-p1`)!.patchBlob!)).toBe(childPatch);
    await archive.repository.reconcile();
    expect(await archive.repository.diff(seed.commit, child.commit)).toContain('+two');
  });
});

function withTexts({ jobId }: Lease): TrialResult {
  return {
    ...trialResult(1),
    patch: 'p'.repeat(5_000),
    transcript: `${jobId} ${'t'.repeat(50_000)}`,
    graderLog: jobId,
  };
}

const childPatch = 'diff --git a/main.ts b/main.ts\n--- a/main.ts\n+++ b/main.ts\n@@ -1 +1 @@\n-one\n+two\n';

async function staged(archive: Archive, parentCommit: string): Promise<{ tree: string }> {
  const one = await archive.repository.stage({ parentCommit, patch: childPatch });
  if (!('tree' in one)) throw new Error(one.detail);
  return one;
}
