import { setTimeout as sleep } from 'node:timers/promises';
import { openArchive } from '#archive/archive.ts';
import { postRun } from '#test/service-process.ts';
import type { Section } from '../sections.ts';
import type { FleetBench } from './fleet-bench.ts';
import { sleepingSpec, writeSleepingSuite } from './sleeping-suite.ts';
import { openStage, residentMiB } from './stage.ts';

const JOBS = 10_000;
const A_RUN = 1_000;

/** What jobs that nobody takes cost control. */
export const waiting: Section<FleetBench> = {
  title: `${JOBS} jobs waiting`,
  async measure() {
    await using stage = await openStage();
    const suite = await writeSleepingSuite(stage.home, A_RUN);
    stage.sleeper({ name: 'away', slots: 1, shortestMs: 3_600_000, longestMs: 3_600_000 });
    await stage.workersIn(1);
    const before = residentMiB(stage.control());
    for (let runs = 0; runs < JOBS / A_RUN; runs += 1)
      await postRun(stage.url, sleepingSpec({ suite, slots: A_RUN, trials: A_RUN }));
    await open(stage.home, JOBS);
    await sleep(15_000);
    const after = residentMiB(stage.control());
    const rings = Number(
      /instantaneous_ops_per_sec:(\d+)/.exec(String(await stage.redis.command('INFO', 'stats')))?.[1],
    );
    return {
      head: ['control before', 'with jobs', 'Redis commands a second'],
      rows: [[`${before.toFixed(0)} MiB`, `${after.toFixed(0)} MiB`, String(rings)]],
      notes: ['Resident memory of the whole process, Node included.'],
      figures: { jobs: JOBS, beforeMiB: before, afterMiB: after, redisCommandsPerSecond: rings },
    };
  },
};

async function open(home: string, jobs: number): Promise<void> {
  for (;;) {
    await using archive = await openArchive(home, { readOnly: true });
    const count = archive.runs.list().reduce((sum, { id }) => sum + archive.jobs.open(id).length, 0);
    if (count >= jobs) return;
    await sleep(500);
  }
}
