import { fork } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { cladeSums } from '#archive/lineage.ts';
import { createRun, temporaryDirectory, writeFiles } from './builders.ts';

describe('a process killed while it writes', () => {
  it('loses nothing that it was told is settled, and leaves nothing halfway', { timeout: 120_000 }, async () => {
    using directory = temporaryDirectory();
    const first = await openArchive(directory.path);
    const run = createRun(first, {
      tasks: Array.from({ length: 100 }, (_, i) => `t${i}`),
      spec: { budget: { usd: 5 } },
    });
    await first[Symbol.asyncDispose]();
    const promised = new Set<string>();
    for (const killAfter of [7, 11, 18, 24, 31]) {
      const writer = fork(join(import.meta.dirname, 'writer-process.ts'), [directory.path, run.id], {
        stdio: 'ignore',
      });
      let heard = 0;
      writer.on('message', (id) => {
        promised.add(String(id));
        heard += 1;
        if (heard === killAfter) setTimeout(() => writer.kill('SIGKILL'), killAfter % 5);
      });
      await once(writer, 'close');
      await using archive = await openArchive(directory.path);
      archive.ledger.reconcile(9);
      const trials = archive.trials.list(run.id);
      const settled = new Set<string>(trials.filter(({ outcome }) => outcome !== null).map(({ id }) => id));
      expect([...promised].filter((id) => !settled.has(id))).toEqual([]);
      const ended = trials.filter(({ transcriptBlob }) => transcriptBlob !== null);
      expect(ended.filter((one) => archive.blobs.readText(one.transcriptBlob!) !== one.id)).toEqual([]);
      expect(ended.filter((one) => archive.blobs.readText(one.graderLogBlob!) !== one.task)).toEqual([]);
      const agents = archive.agents.lineage(run.id);
      expect(agents.reduce((sum, { n }) => sum + n, 0)).toBe(trials.filter(({ y }) => y !== null).length);
      expect(agents.map(({ cladeN, cladeS }) => ({ n: cladeN, s: cladeS }))).toEqual([...cladeSums(agents).values()]);
      const told = archive.events.after({ seq: 0 }).filter(({ data }) => data.kind === 'trial-settled');
      expect(told).toHaveLength(settled.size);
      const { spentUusd, reservedUusd, counts } = archive.runs.get(run.id)!;
      expect([spentUusd, reservedUusd]).toEqual([
        archive.ledger.spend(run.id).reduce((sum, one) => sum + one.spentUusd, 0),
        0,
      ]);
      expect(counts).toMatchObject({ trials: trials.length, trialsSettled: settled.size });
      for (const job of archive.jobs.open(run.id)) archive.jobs.setAside({ jobId: job.id }, 'infra', 'killed', 9);
      for (const { id } of archive.trials.list(run.id)) promised.add(id);
      expect(archive.decisions.list(run.id)).toHaveLength(trials.length + archive.proposals.list(run.id).length);
    }
    expect(promised.size).toBeGreaterThan(50);
  });
});

describe('a process killed with the git processes it has started', () => {
  it('leaves nothing that keeps the next one from its work', { timeout: 300_000 }, async () => {
    using directory = temporaryDirectory();
    const home = join(directory.path, 'home');
    const first = await openArchive(home);
    const seed = await first.repository.commitSeed(writeFiles(join(directory.path, 'seed'), { 'main.ts': 'one\n' }));
    const run = createRun(first, seed);
    await first[Symbol.asyncDispose]();
    for (let kill = 1; kill <= 25; kill += 1) {
      const writer = fork(join(import.meta.dirname, 'git-process.ts'), [home, seed.commit, patch], {
        stdio: 'ignore',
        detached: true,
      });
      await once(writer, 'message');
      await sleep((kill * 37) % 100);
      process.kill(-writer.pid!, 'SIGKILL');
      await once(writer, 'close');
      await using archive = await openArchive(home);
      await archive.repository.reconcile();
      await archive.repository.setAgentRef(`${run.id}-a1`, seed.commit);
      for (const n of [1, 2, 3, 4, 5, 6]) await archive.repository.setAgentRef(`r000000-a${n}`, seed.commit);
      expect(readdirSync(join(home, 'worktrees'))).toEqual([]);
      expect(globSync('worktrees/*', { cwd: join(home, 'agents.git') })).toEqual([]);
    }
  });
});

const patch = 'diff --git a/main.ts b/main.ts\n--- a/main.ts\n+++ b/main.ts\n@@ -1 +1 @@\n-one\n+two\n';
