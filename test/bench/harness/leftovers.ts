import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Task } from '#benchmarks/schema.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { gradePatch } from '#services/evaluator/grade-patch.ts';
import type { Found } from '#test/bench/sections.ts';
import { sumFix, sumTask } from '#test/evaluator/builders.ts';
import { timedDriver } from './inside-time.ts';
import { added, type Inventory, inventory, KINDS } from './inventory.ts';
import { type Bench, benchRoom, type HarnessSection } from './section.ts';
import { testbedTask } from './testbed-task.ts';

const GRADES = 200;
const SLOTS = 4;

/** What stays on the machine after grades that end in every way. */
export const leftovers: HarnessSection = { title: `What ${GRADES} grades leave behind`, measure };

/** One way for a grade to go. */
interface Way {
  name: string;
  task: Task;
  patch: string;
  /** Given up after at most so long. */
  abortMs?: number;
}

async function measure({ docker, bubblewrap, signal, say }: Bench): Promise<Found> {
  const tried: Tried[] = [];
  if (!('missing' in docker)) {
    const testbed = await testbedTask(docker.driver);
    const inImage = { name: 'resolved, in an image', ...testbed };
    tried.push(await tryAll({ ...docker, ways: [...waysOf(), inImage], signal, say }));
  }
  if (!('missing' in bubblewrap)) {
    tried.push(await tryAll({ driver: bubblewrap.driver, engine: null, ways: waysOf(), signal, say }));
  }
  const missing = [docker, bubblewrap].flatMap((part) => ('missing' in part ? part.missing : []));
  if (tried.length === 0) return { skipped: missing.join('; ') };
  return {
    head: ['', ...tried.flatMap(({ driver }) => [`${driver}: before`, 'after', 'new', 'of ours'])],
    rows: KINDS.map((kind) => [kind, ...tried.flatMap((one) => countsOf(one, kind))]),
    notes: [
      ...tried.map(
        ({ driver, fates }) => `${driver}: ${[...fates].map(([fate, count]) => `${fate} ${count}`).join(', ')}.`,
      ),
      'New is all that appeared on the machine meanwhile, by whomever; of ours is what carries the mark of this process. Temporary files carry none.',
      ...tried.flatMap(({ driver, fresh }) =>
        fresh['temporary files'].map((name) => `${driver}: new in the temporary directory: ${name}`),
      ),
      ...missing,
    ],
    figures: Object.fromEntries(tried.map((one) => [one.driver, figuresOf(one)])),
  };
}

interface Tried {
  driver: string;
  before: Inventory;
  after: Inventory;
  fresh: ReturnType<typeof added>;
  own: Record<(typeof KINDS)[number], number>;
  /** How many grades ended how. */
  fates: Map<string, number>;
}

interface Trying {
  driver: SandboxDriver;
  engine: Docker | null;
  ways: readonly Way[];
  signal: AbortSignal;
  say: (line: string) => void;
}

async function tryAll({ driver: plain, engine, ways, signal, say }: Trying): Promise<Tried> {
  say(`  ${GRADES} grades with ${plain.name}, ${SLOTS} at once`);
  const { driver, taken } = timedDriver(plain);
  // Images are made once and kept on purpose: what makes them goes before.
  for (const way of ways) if (way.abortMs === undefined) await fateOf(way, driver, signal);
  const before = await inventory(engine);
  const fates = new Map<string, number>();
  let next = 0;
  const work = async () => {
    for (let at = next++; at < GRADES; at = next++) {
      const way = ways[at % ways.length]!;
      const fate = `${way.name}: ${await fateOf(way, driver, signal)}`;
      fates.set(fate, (fates.get(fate) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: SLOTS }, work));
  await driver.settled?.();
  const after = await inventory(engine);
  const fresh = added(before, after);
  const marks = [`${process.pid}@`, `-${process.pid}-`, ...taken().map(({ id }) => id)];
  const ofOurs = (names: readonly string[]) => names.filter((name) => marks.some((mark) => name.includes(mark))).length;
  const own = Object.fromEntries(KINDS.map((kind) => [kind, ofOurs(fresh[kind])] as const));
  // It has every kind.
  return { driver: plain.name, before, after, fresh, own: own as Tried['own'], fates };
}

async function fateOf({ task, patch, abortMs }: Way, driver: SandboxDriver, signal: AbortSignal): Promise<string> {
  const giveUp = new AbortController();
  if (abortMs !== undefined) void delay(Math.random() * abortMs, undefined, { ref: false }).then(() => giveUp.abort());
  try {
    const both = AbortSignal.any([signal, giveUp.signal]);
    const verdict = await gradePatch(task, patch, benchRoom('leftovers', { cpus: 1, memoryMiB: 256 }), {
      driver,
      signal: both,
    });
    if (verdict.kind !== 'graded') return verdict.kind;
    if (verdict.timedOut) return 'timed out';
    return verdict.grade.resolved ? 'resolved' : 'not resolved';
  } catch (error) {
    signal.throwIfAborted();
    if (giveUp.signal.aborted) return 'aborted';
    throw error;
  }
}

function waysOf(): Way[] {
  const task = sumTask();
  const running = (command: string[], timeoutMs = 30_000) => ({ ...task, test: { ...task.test, command, timeoutMs } });
  const sh = (script: string, timeoutMs?: number) => running(['sh', '-c', script], timeoutMs);
  return [
    { name: 'solved', task, patch: sumFix },
    { name: 'wrong', task, patch: sumFix.replace('return a + b', 'return b - a') },
    { name: 'nothing', task, patch: '' },
    { name: 'no patch', task, patch: 'This is no patch.\n' },
    { name: 'does not apply', task, patch: sumFix.replace('a - b', 'a * b') },
    { name: 'hangs', task: sh('sleep 600', 500), patch: sumFix },
    { name: 'leaves processes', task: sh('for n in 1 2 3 4 5; do setsid sleep 600 & done; exit 1'), patch: sumFix },
    { name: 'kills all', task: sh('kill -9 -1; sleep 600', 2000), patch: sumFix },
    {
      name: 'uses up its memory',
      task: running(['node', '-e', 'const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))']),
      patch: sumFix,
    },
    { name: 'fills its disk', task: sh('dd if=/dev/zero of=/tmp/full bs=1M; exit 1'), patch: sumFix },
    { name: 'given up', task, patch: sumFix, abortMs: 800 },
  ];
}

function countsOf({ before, after, fresh, own }: Tried, kind: (typeof KINDS)[number]): string[] {
  return [before[kind].size, after[kind].size, fresh[kind].length, own[kind]].map(String);
}

function figuresOf({ before, after, fresh, own, fates }: Tried) {
  const counts = KINDS.map((kind) => {
    const [from, to] = [before[kind].size, after[kind].size];
    return [kind, { before: from, after: to, new: fresh[kind].length, ours: own[kind] }] as const;
  });
  return { grades: GRADES, fates: Object.fromEntries(fates), ...Object.fromEntries(counts) };
}
