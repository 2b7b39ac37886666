import { globSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import type { Trial } from '#archive/schema.ts';
import { replay } from '#services/scheduler/replay.ts';
import { postRun, runIn, startService, temporaryHome } from '#test/service-process.ts';

const KILLS = 50;

it(`loses nothing when the service is killed at ${KILLS} seeded moments of a run`, { timeout: 600_000 }, async () => {
  using temporary = temporaryHome();
  const { home } = temporary;
  const random = xoroshiro128plus(20_260_101);
  const spec = { suite: 'katas', sandbox: 'process', slots: 2, randomSeed: 7, budget: { trials: 90 } };
  let runId: string | null = null;
  let settled = new Map<string, string>();

  for (let kill = 1; kill <= KILLS; kill += 1) {
    await using service = await startService(home);
    runId ??= (await postRun(service.url, spec)).id;
    await sleep(uniformFloat64(random) * 1_200);
    await service.end('SIGKILL');
    const now = await settledTrials(home, runId);
    const changed = [...settled].filter(([id, verdict]) => now.get(id) !== verdict);
    expect(changed, `after kill ${kill} every trial settled before still has its verdict`).toEqual([]);
    settled = now;
  }

  await using service = await startService(home);
  const run = await runIn(service.url, runId!, ['finished', 'failed'], 300_000);
  expect(run.state).toBe('finished');
  expect((await service.end('SIGTERM')).exitCode).toBe(0);

  await using archive = await openArchive(home, { readOnly: true });
  const trials = allTrials(archive.trials.list(runId!, { limit: 10_000 }));
  expect([...settled].filter(([id, verdict]) => trials.get(id) !== verdict)).toEqual([]);
  const calls = archive.ledger.spend(runId!);
  const { spentUusd, reservedUusd } = archive.runs.get(runId!)!;
  expect(calls.reduce((sum, row) => sum + row.spentUusd, 0)).toBe(spentUusd);
  expect(reservedUusd).toBe(0);
  expect(replay(archive, runId!)?.firstDifference).toBeNull();
  expect(readdirSync(join(home, 'worktrees'))).toEqual([]);
  expect(sandboxesOf(archive.ownerId)).toEqual([]);
});

async function settledTrials(home: string, runId: string): Promise<Map<string, string>> {
  await using archive = await openArchive(home, { readOnly: true });
  const trials = archive.trials.list(runId, { limit: 10_000 });
  return allTrials(trials.filter(({ outcome }) => outcome !== null));
}

function allTrials(trials: Trial[]): Map<string, string> {
  return new Map(trials.map(({ id, agentId, task, outcome, y }) => [id, `${agentId} ${task} ${outcome} ${y}`]));
}

/** Sandboxes of the process driver that are still there: a temporary directory each, with a note of whose it is. */
function sandboxesOf(ownerId: string): string[] {
  const notes = globSync('clade-*/labels.json', { cwd: tmpdir() });
  return notes.filter((note) => readFileSync(join(tmpdir(), note), 'utf8').includes(ownerId));
}
