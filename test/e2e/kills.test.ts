import { createHash } from 'node:crypto';
import { globSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, inject, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import type { Trial } from '#archive/schema.ts';
import { createDrivers } from '#sandbox/drivers.ts';
import type { DriverName } from '#sandbox/schema.ts';
import { replay } from '#services/scheduler/replay.ts';
import { postRun, runIn, startService, temporaryHome } from '#test/service-process.ts';

interface Case {
  sandbox: DriverName;
  kills: number;
  trials: number;
  /** Kills the service's whole process group at once, git as well, which a policy that breeds after every trial keeps at work. */
  withGit: boolean;
  available: boolean;
}

/** `CLADE_TEST_KILLS=3` for three times as many moments as there is time for in a run of all tests. */
const times = Number(process.env.CLADE_TEST_KILLS ?? '1');

/** Most moments with plain processes, which take the least time to begin again; the others show that nothing of them is left. */
const cases: Case[] = [
  { sandbox: 'process', kills: 16 * times, trials: 30 * times, withGit: false, available: true },
  { sandbox: 'process', kills: 10 * times, trials: 12 * times, withGit: true, available: true },
  {
    sandbox: 'bubblewrap',
    kills: 5 * times,
    trials: 8 * times,
    withGit: false,
    available: inject('bubblewrap').available,
  },
  { sandbox: 'docker', kills: 5 * times, trials: 8 * times, withGit: false, available: inject('docker').available },
];

describe.each(cases)('a run in $sandbox sandboxes', ({ sandbox, kills, trials, withGit, available }) => {
  it.skipIf(!available)(
    `loses nothing when the service${withGit ? ' and its git are' : ' is'} killed at ${kills} seeded moments`,
    {
      timeout: 900_000 * times,
    },
    async () => {
      await createDrivers()[sandbox].prepare('clade/base:1');
      using temporary = temporaryHome();
      const { home } = temporary;
      const random = xoroshiro128plus(20_260_101);
      const breeding = withGit ? { policy: { kind: 'hgm', alpha: 1 }, budget: { trials, proposals: trials } } : {};
      const spec = { suite: 'katas', sandbox, slots: 2, randomSeed: 7, budget: { trials }, ...breeding };
      let runId: string | null = null;
      let settled = new Map<string, string>();

      for (let kill = 1; kill <= kills; kill += 1) {
        await using service = await startService(home, {}, { ownGroup: withGit });
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
      const verdicts = verdictsOf(archive.trials.list(runId!));
      expect([...settled].filter(([id, verdict]) => verdicts.get(id) !== verdict)).toEqual([]);
      const { spentUusd, reservedUusd } = archive.runs.get(runId!)!;
      expect(archive.ledger.spend(runId!).reduce((sum, row) => sum + row.spentUusd, 0)).toBe(spentUusd);
      expect(reservedUusd).toBe(0);
      expect(replay(archive, runId!).firstDifference).toBeNull();
      expect(readdirSync(join(home, 'worktrees'))).toEqual([]);
      expect(await sandboxesOf(archive.ownerId)).toEqual([]);
    },
  );
});

async function settledTrials(home: string, runId: string): Promise<Map<string, string>> {
  await using archive = await openArchive(home, { readOnly: true });
  return verdictsOf(archive.trials.list(runId).filter(({ outcome }) => outcome !== null));
}

function verdictsOf(trials: Trial[]): Map<string, string> {
  return new Map(trials.map(({ id, agentId, task, outcome, y }) => [id, `${agentId} ${task} ${outcome} ${y}`]));
}

/** What is left of the sandboxes of this owner, of whichever kind: containers, directories, control groups. */
async function sandboxesOf(ownerId: string): Promise<string[]> {
  const name = `clade-${createHash('sha256').update(ownerId).digest('hex').slice(0, 12)}-*`;
  const filters = { label: [`dev.clade.owner=${ownerId}`] };
  const containers = inject('docker').available ? await new Docker().listContainers({ all: true, filters }) : [];
  return [
    ...containers.map(({ Id }) => Id),
    ...globSync(name, { cwd: tmpdir() }),
    ...globSync(`**/${name}`, { cwd: '/sys/fs/cgroup' }),
  ];
}
