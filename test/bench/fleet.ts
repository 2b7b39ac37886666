import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { provideRedis } from '#test/provision/redis.ts';
import { busy } from './fleet/busy.ts';
import { faults } from './fleet/faults.ts';
import type { FleetBench } from './fleet/fleet-bench.ts';
import { rate } from './fleet/rate.ts';
import { waiting } from './fleet/waiting.ts';
import { runSections, type Section, say } from './sections.ts';

const sections = new Map<string, Section<FleetBench>>([
  ['busy', busy],
  ['rate', rate],
  ['waiting', waiting],
  ['faults', faults],
]);

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    trials: { type: 'string' },
    faults: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    sandbox: { type: 'string', default: 'process' },
    json: { type: 'boolean', default: false },
  },
});

const { available, reason } = await provideRedis();
if (!available) throw new Error(`There is no Redis: ${reason}`);
const bench: FleetBench = {
  trials: values.trials === undefined ? undefined : Number(values.trials),
  faults: Number(values.faults),
  sandbox: values.sandbox === 'docker' ? 'docker' : 'process',
  randomSeed: Number(values.seed),
  say,
};
const machine = `${availableParallelism()} processors, which Redis, control and workers share`;
await runSections(sections, bench, { only: values.only, json: values.json, machine });
