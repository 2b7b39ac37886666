import { postRun, runIn } from '#test/service-process.ts';
import type { Section } from '../sections.ts';
import type { FleetBench } from './fleet-bench.ts';
import { sleepingSpec, writeSleepingSuite } from './sleeping-suite.ts';
import { openStage } from './stage.ts';
import { busyShare, busyShareOfGenerations, eventsOf, quantile, type Stay, staysOf } from './timeline.ts';

const WORKERS = 4;
const SLOTS = 64;
const SHORTEST_S = 10;
const LONGEST_S = 60;

/** How well slots are used by trials of mixed length, and how long a job that is ready waits for its slot. */
export const busy: Section<FleetBench> = {
  title: `${SLOTS} slots of ${WORKERS} workers, trials of ${SHORTEST_S} to ${LONGEST_S} s`,
  async measure({ trials = 8 * SLOTS, say }) {
    await using stage = await openStage();
    const suite = await writeSleepingSuite(stage.home, trials);
    for (let at = 0; at < WORKERS; at += 1)
      stage.sleeper({
        ...{ name: `sleeper-${at}`, slots: SLOTS / WORKERS },
        ...{ shortestMs: SHORTEST_S * 1000, longestMs: LONGEST_S * 1000 },
      });
    await stage.workersIn(WORKERS);
    const { id } = await postRun(stage.url, sleepingSpec({ suite, slots: SLOTS, trials }));
    const minutes = (trials / SLOTS) * ((SHORTEST_S + LONGEST_S) / 120);
    say(`  ${trials} trials, about ${minutes.toFixed(0)} minutes`);
    await runIn(stage.url, id, ['finished', 'failed'], 3_600_000);
    const stays = staysOf(await eventsOf(stage.home, id));
    const claims = stays.map(({ claimedMs }) => claimedMs).sort((a, b) => a - b);
    const [fromMs = 0, untilMs = 0] = [claims[SLOTS - 1], claims.at(-1)];
    const ours = busyShare(stays, SLOTS, fromMs, untilMs);
    const generations = busyShareOfGenerations(
      stays.toSorted((a, b) => a.claimedMs - b.claimedMs),
      SLOTS,
    );
    const wait = ({ readyMs, claimedMs }: Stay): number => claimedMs - readyMs;
    const waits = stays.filter(({ readyMs }) => readyMs > fromMs).map(wait);
    const firstMs = Math.max(...stays.filter(({ readyMs }) => readyMs <= fromMs).map(wait));
    return {
      head: ['', 'slots busy', 'ready to start p50', 'p99', 'most'],
      rows: [
        ['Clade', percent(ours), ...[0.5, 0.99, 1].map((share) => `${quantile(waits, share)} ms`)],
        ['in generations', percent(generations), '', '', ''],
      ],
      notes: [
        'From when all slots were taken until the last job was, after which there is nothing to fill them with.',
        `Ready to start: of jobs that came after that. The last of the first ${SLOTS}, which came at once, began after ${firstMs} ms.`,
        'In generations: the same lengths, as many at once as there are slots, the next when the longest has ended (reckoned).',
      ],
      figures: {
        trials,
        ours,
        generations,
        waitP50Ms: quantile(waits, 0.5),
        waitP99Ms: quantile(waits, 0.99),
        firstMs,
      },
    };
  },
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
