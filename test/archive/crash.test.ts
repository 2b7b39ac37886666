import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { cladeSums } from '#archive/lineage.ts';
import { createRun, temporaryDirectory } from './builders.ts';

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
