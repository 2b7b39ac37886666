import { type Command, InvalidArgumentError } from 'commander';
import pLimit from 'p-limit';
import type { Suite, Task } from '#benchmarks/schema.ts';
import { createDrivers } from '#sandbox/drivers.ts';
import type { ImageFacts, ImageStore, Prepulled, Pruned } from '#sandbox/images.ts';
import { type SandboxDriver, SandboxUnavailable } from '#sandbox/sandbox.ts';
import { CladeError } from '#services/errors.ts';
import { taskImage } from '#services/evaluator/task-image.ts';
import { SuiteShelf } from '#services/suite-shelf.ts';
import { asPositiveCount, type CommonOptions, command, commandGroup, configOf } from './command.ts';
import { type Interrupt, onInterrupt } from './interrupt.ts';
import { plainLine } from './plain-text.ts';
import { table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { duration } from './words.ts';

interface PruneFlags extends CommonOptions {
  olderThan?: number;
  all?: boolean;
  dryRun?: boolean;
}

const DAY_MS = 86_400_000;
const PRUNED_AFTER_DAYS = 7;

/** `clade images`: what is there, getting more before a run needs it, and making room. */
export function imagesCommand(terminal: Terminal): Command {
  const list = command('list', 'list the images that are ours')
    .option('--all', 'those of others, too')
    .action((options: CommonOptions & { all?: boolean }) => listAll(options, terminal));
  const pull = command(
    'pull',
    'get images before they are needed: those of a suite with all that its tasks need, or by name',
  )
    .argument('<suite|image...>', 'names of suites or images')
    .option('--at-once <n>', 'how many at once', asPositiveCount, 4)
    .action((names: string[], options: CommonOptions & { atOnce: number }) => pullAll(names, options, terminal));
  const prune = command(
    'prune',
    'remove images that are ours and that nothing uses (CLADE_IMAGE_QUOTA_GIB: at once when they take more)',
  )
    .argument('[image...]', 'only these, however young')
    .option(
      '--older-than <age>',
      `last used longer ago than this, such as 36h or 7d (default: ${PRUNED_AFTER_DAYS}d)`,
      asAge,
    )
    .option('--all', 'however young')
    .option('--dry-run', 'say what would go')
    .action((names: string[], options: PruneFlags) => pruneSome(names, options, terminal));
  const group = commandGroup('images', 'list, pull and prune the Docker images that tasks run in', [pull, prune]);
  return group.addCommand(list, { isDefault: true });
}

async function listAll({ home, json, all }: CommonOptions & { all?: boolean }, terminal: Terminal): Promise<void> {
  const { images } = await dockerHere(terminal, home);
  const { quotaBytes } = configOf(terminal, { home }).images;
  const found = (await images.list()).toSorted((a, b) => b.lastUsedMs - a.lastUsedMs);
  const { before } = (await images.prune({ dryRun: true, only: [] })).heldBytes;
  if (json) return terminal.print(JSON.stringify({ heldBytes: before, quotaBytes: quotaBytes ?? null, images: found }));
  const shown = found.filter(({ origin }) => all || origin !== 'foreign');
  if (shown.length > 0) terminal.print(table(HEADINGS, shown.map(row)));
  const others = found.length - shown.length;
  terminal.print(
    `Ours hold ${bytesText(before)} in layers that no other image has${quotaBytes === undefined ? '' : ` (quota ${bytesText(quotaBytes)})`}.` +
      (others === 0 ? '' : ` ${others} images of others are not shown (--all).`),
  );
}

const HEADINGS = ['image', 'digest', 'size>', 'alone>', 'whose', 'last used>', 'kept by', 'purpose'];

function row({ names, digest, sizeBytes, uniqueBytes, origin, lastUsedMs, ...more }: ImageFacts): string[] {
  const keepers = [
    ...(more.pinned ? ['pin'] : []),
    ...(more.containers > 0 ? [`${more.containers} container${more.containers === 1 ? '' : 's'}`] : []),
  ];
  return [
    plainLine(names.map(shortName).join(' ') || '-', 60),
    digest.replace('sha256:', '').slice(0, 12),
    bytesText(sizeBytes),
    bytesText(uniqueBytes),
    origin,
    agoText(Date.now() - lastUsedMs),
    keepers.join(', '),
    plainLine(more.purpose ?? '', 20),
  ];
}

async function pullAll(
  names: string[],
  { home, json, atOnce }: CommonOptions & { atOnce: number },
  terminal: Terminal,
): Promise<void> {
  const shelf = new SuiteShelf(configOf(terminal, { home }).home);
  const known = new Set((await shelf.list()).map(({ name }) => name));
  // As everywhere, a suite may be given by the path of its folder.
  for (const name of names) if (/^\.{0,2}\//.test(name)) known.add(name);
  const suites: Suite[] = [];
  for (const name of names) if (known.has(name)) suites.push(await shelf.open(name));
  const tasks = suites.flatMap((suite) => suite.tasks);
  const named = names.filter((name) => !known.has(name));
  const driver = await dockerHere(terminal, home);
  using interrupt = onInterrupt(terminal, 'Ending.');
  const pulling: Pulling = { driver, atOnce, interrupt, terminal };
  const began = Date.now();
  const plain = tasks.filter(({ environment }) => environment.length === 0).map(({ image }) => image);
  const pulled = await prepull([...named, ...plain], pulling);
  const unavailable = new Set(pulled.filter(({ kind }) => kind !== 'here').map(({ image }) => image));
  const made = await prepareTasks(
    tasks.filter(({ image, workspaceIn }) => workspaceIn === 'image' && !unavailable.has(image)),
    pulling,
  );
  const results = [...pulled, ...made];
  if (results.some(({ kind }) => kind === 'failed')) terminal.exitCode = 1;
  const durationMs = Date.now() - began;
  if (json) return terminal.print(JSON.stringify({ images: results, durationMs }));
  const count = (kind: Prepulled['kind']) => results.filter((result) => result.kind === kind).length;
  terminal.print(
    `${count('here')} images are here, ${count('failed')} cannot be had, ${count('left-out')} were left out. ${duration(durationMs)}`,
  );
}

interface Pulling {
  driver: SandboxDriver & { images: ImageStore };
  atOnce: number;
  interrupt: Interrupt;
  terminal: Terminal;
}

async function prepull(names: string[], { driver, atOnce, interrupt, terminal }: Pulling): Promise<Prepulled[]> {
  const all = new Set(names);
  let done = 0;
  const isNews = (line: string) => all.size === 1 || line.includes('; again in ');
  return await unlessInterrupted(interrupt, () =>
    driver.images.prepull(all, {
      concurrency: atOnce,
      signal: interrupt.signal,
      onProgress: (line) => (isNews(line) ? terminal.say(`  ${plainLine(line)}`) : undefined),
      onDone: (result) => terminal.say(`${++done}/${all.size}  ${resultText(result)}`),
    }),
  );
}

/** What tasks whose workspace is in their image need beyond that: environments of their own, sealed histories. */
async function prepareTasks(tasks: Task[], { driver, atOnce, interrupt, terminal }: Pulling): Promise<Prepulled[]> {
  let done = 0;
  const prepare = async (task: Task): Promise<Prepulled> => {
    const result = await preparedFor(task, driver, interrupt.signal);
    terminal.say(`${++done}/${tasks.length}  prepared for ${resultText(result)}`);
    return result;
  };
  return await unlessInterrupted(interrupt, () => pLimit(atOnce).map(tasks, prepare));
}

async function preparedFor(task: Task, driver: SandboxDriver, signal: AbortSignal): Promise<Prepulled> {
  signal.throwIfAborted();
  try {
    const reference = await taskImage(task, { driver, signal });
    const resolved = (await driver.images?.resolve(reference, { signal })) ?? { reference, digest: reference };
    return { image: task.id, kind: 'here', resolved };
  } catch (error) {
    if (!(error instanceof SandboxUnavailable)) throw error;
    return { image: task.id, kind: 'failed', reason: error.message };
  }
}

async function pruneSome(
  names: string[],
  { home, json, olderThan, all, dryRun }: PruneFlags,
  terminal: Terminal,
): Promise<void> {
  if (all && olderThan !== undefined)
    throw new CladeError('invalid-request', '--all means however young: leave out --all or --older-than.');
  const { images } = await dockerHere(terminal, home);
  const known = new Set((await images.list()).flatMap((image) => [image.id, ...image.names]));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new CladeError(
      'not-found',
      `There is no image ${unknown.join(' or ')}. "clade images" lists those that are ours.`,
    );
  const isAnyAge = all || (names.length > 0 && olderThan === undefined);
  const pruned = await images.prune({
    ...(isAnyAge ? {} : { usedBeforeMs: Date.now() - (olderThan ?? PRUNED_AFTER_DAYS * DAY_MS) }),
    ...(names.length === 0 ? {} : { only: names }),
    ...(dryRun ? { dryRun } : {}),
  });
  if (json) return terminal.print(JSON.stringify({ dryRun: dryRun === true, ...pruned }));
  terminal.print(prunedText(pruned, dryRun === true));
}

function prunedText({ removed, kept, heldBytes }: Pruned, isDryRun: boolean): string {
  const name = ({ names, id }: ImageFacts) => plainLine(names.map(shortName).join(' ') || id, 100);
  return [
    ...removed.map((image) => `${isDryRun ? 'would remove' : 'removed'} ${name(image)}`),
    ...kept.map(({ image, reason }) => `kept ${name(image)}: ${plainLine(reason)}`),
    `${removed.length} images, ${bytesText(heldBytes.before - heldBytes.after)}. Ours hold ${bytesText(heldBytes.after)}${isDryRun ? ' then' : ''}.`,
  ].join('\n');
}

/** @throws CladeError `sandbox-unavailable` that says how to get an engine, where none runs. */
async function dockerHere(terminal: Terminal, home: string | undefined): Promise<Pulling['driver']> {
  const { docker } = createDrivers({ images: configOf(terminal, { home }).images });
  const { available, detail, remedy } = await docker.diagnose();
  if (!available || docker.images === null)
    throw new CladeError(
      'sandbox-unavailable',
      `Images are Docker's: ${detail}${remedy === undefined ? '' : ` (${remedy})`}.`,
    );
  return { ...docker, images: docker.images };
}

async function unlessInterrupted<T>({ signal, exitCode }: Interrupt, work: () => Promise<T>): Promise<T> {
  return await work().catch((error: unknown) => {
    if (signal.aborted)
      throw new CladeError('shutting-down', 'Ended before all images were here.', {
        exitCode: exitCode(),
        cause: error,
      });
    throw error;
  });
}

function resultText(result: Prepulled): string {
  const name = plainLine(shortName(result.image), 100);
  return result.kind === 'here' ? name : `${name}: ${plainLine(result.reason, 400)}`;
}

/** `clade/derived:0123456789abcdef…` and `name@sha256:…` in as much as tells them apart. */
function shortName(name: string): string {
  return name.replace(/(@sha256:|derived:)([0-9a-f]{12})[0-9a-f]+$/, '$1$2');
}

function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}

function agoText(ms: number): string {
  if (ms < 3_600_000) return `${Math.max(0, Math.floor(ms / 60_000))} min`;
  return ms < 2 * DAY_MS ? `${Math.floor(ms / 3_600_000)} h` : `${Math.floor(ms / DAY_MS)} d`;
}

/** Parses an age such as `90m`, `36h`, `7d` or `2w`, into milliseconds. */
function asAge(text: string): number {
  const [, count, unit] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const unitMs = { m: 60_000, h: 3_600_000, d: DAY_MS, w: 7 * DAY_MS }[unit ?? ''];
  if (unitMs === undefined) throw new InvalidArgumentError(`${JSON.stringify(text)} is no age such as 36h or 7d.`);
  return Number(count) * unitMs;
}
