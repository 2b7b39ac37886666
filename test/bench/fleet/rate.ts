import { postRun, runIn } from '#test/service-process.ts';
import type { Section } from '../sections.ts';
import type { FleetBench } from './fleet-bench.ts';
import { sleepingSpec, writeSleepingSuite } from './sleeping-suite.ts';
import { openStage } from './stage.ts';
import { eventsOf, staysOf } from './timeline.ts';

const WORKERS = 2;
const SLOTS = 128;

/** How many jobs a second control decides about, hands out over HTTP and settles. */
export const rate: Section<FleetBench> = {
  title: `Jobs a second through claim and settle, ${SLOTS} slots of ${WORKERS} workers, trials that take no time`,
  async measure({ trials = 4_000 }) {
    await using stage = await openStage();
    const suite = await writeSleepingSuite(stage.home, trials);
    for (let at = 0; at < WORKERS; at += 1)
      stage.sleeper({ name: `sleeper-${at}`, slots: SLOTS / WORKERS, shortestMs: 0, longestMs: 0 });
    await stage.workersIn(WORKERS);
    const { id } = await postRun(stage.url, sleepingSpec({ suite, slots: SLOTS, trials }));
    await runIn(stage.url, id, ['finished', 'failed'], 3_600_000);
    const stays = staysOf(await eventsOf(stage.home, id));
    const first = Math.min(...stays.map(({ claimedMs }) => claimedMs));
    const last = Math.max(...stays.map(({ endedMs }) => endedMs));
    const perSecond = stays.length / ((last - first) / 1000);
    return {
      head: ['jobs', 'time', 'jobs a second'],
      rows: [[String(stays.length), `${((last - first) / 1000).toFixed(1)} s`, perSecond.toFixed(0)]],
      notes: ['Control, Redis and both workers share this machine; each settled trial is synced to disk.'],
      figures: { jobs: stays.length, perSecond },
    };
  },
};
