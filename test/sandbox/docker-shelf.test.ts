import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { createDocker } from '#sandbox/docker/docker.ts';
import type { ImageFacts, ImageStore } from '#sandbox/images.ts';
import { openRegistry, type Registry } from '#test/provision/registry.ts';
import { discard, importImage, isHere, publish, someName } from './small-images.ts';

const isPossible = inject('docker').available && inject('registry').available;
const MIB = 2 ** 20;

describe.skipIf(!isPossible)('images that are ours', () => {
  const docker = new Docker();
  let registry: Registry;
  beforeAll(async () => {
    registry = await openRegistry();
  });
  afterAll(async () => await registry[Symbol.asyncDispose]());

  function store(options: { quotaBytes?: number; directory?: string } = {}): ImageStore {
    return createDocker({ images: { directory: options.directory ?? someDirectory(), ...options } }).images!;
  }

  /** Pushed, and not here. */
  async function published(what: string, bytes = 1000): Promise<string> {
    const name = `${registry.address}/${someName(what)}:1`;
    await publish(docker, name, bytes);
    onTestFinished(async () => await discard(docker, [name]));
    return name;
  }

  async function factsOf(images: ImageStore, name: string): Promise<ImageFacts | undefined> {
    const { Id } = await docker
      .getImage(name)
      .inspect()
      .catch(() => ({ Id: '' }));
    return (await images.list()).find(({ id }) => id === Id);
  }

  test('are those that we pulled, derived or built; all others are foreign', async () => {
    const images = store();
    const pulled = await published('pulled');
    const { reference } = await images.resolve(pulled);
    const foreign = `${someName('clade-test-foreign')}:1`;
    await importImage(docker, foreign);
    onTestFinished(async () => await discard(docker, [foreign]));
    await images.resolve(foreign);
    const here = await published('here-before');
    await createDocker().images!.resolve(here);
    await images.resolve(here);
    expect(await factsOf(images, pulled)).toMatchObject({
      origin: 'pulled',
      names: [pulled],
      digest: reference.split('@')[1],
    });
    expect(await factsOf(images, foreign)).toMatchObject({ origin: 'foreign', names: [foreign] });
    expect(await factsOf(images, here)).toMatchObject({ origin: 'foreign' });
    expect(await factsOf(images, 'clade/base:1')).toMatchObject({ origin: 'built' });
  });

  test('are listed for all who ask at once, though older engines answer just one', async () => {
    const lists = await Promise.all(Array.from({ length: 4 }, () => store().list()));
    for (const list of lists) expect(list).not.toEqual([]);
  });

  test('are ours no more once somebody gives them a name of his own', async () => {
    const images = store();
    const name = await published('adopted');
    await images.resolve(name);
    const own = someName('clade-test-own');
    await docker.getImage(name).tag({ repo: own, tag: '1' });
    onTestFinished(async () => await discard(docker, [`${own}:1`]));
    expect(await factsOf(images, name)).toMatchObject({ origin: 'foreign' });
  });

  test('go in the order of their last use when they hold more than the quota, but for pinned ones', async () => {
    const directory = someDirectory();
    const names = [];
    for (const what of ['one', 'two', 'three', 'four']) names.push(await published(what, MIB));
    const [one = '', two = '', three = '', four = ''] = names;
    const unlimited = store({ directory });
    await using _pin = await unlimited.pin(one);
    for (const name of [two, three, two]) await unlimited.resolve(name);
    await store({ directory, quotaBytes: 3.5 * MIB }).resolve(four);
    const here = await Promise.all(names.map((name) => isHere(docker, name)));
    expect(here).toEqual([true, true, false, true]);
  });

  test('of another data directory do not go for the sake of this quota', async () => {
    const theirs = store();
    const recipe = { kind: 'script', script: `# ${someName('theirs')}`, purpose: 'test' } as const;
    const { reference } = await theirs.derive({ base: await theirs.resolve('clade/base:1'), recipe });
    onTestFinished(async () => await discard(docker, [reference]));
    const mine = await published('mine', MIB);
    await store({ quotaBytes: MIB / 2 }).resolve(mine);
    expect([await isHere(docker, reference), await isHere(docker, mine)]).toEqual([true, true]);
  });

  test('stay while a container of theirs is there, and while the pin of another living process is', async () => {
    const directory = someDirectory();
    const images = store({ directory });
    const [contained, pinned] = [await published('contained'), await published('pinned')];
    await images.resolve(contained);
    const container = await docker.createContainer({ Image: contained, Cmd: ['/content'] });
    onTestFinished(async () => await container.remove({ force: true }));
    const owner = spawn(process.execPath, ['--input-type=module', '-e', PINNING, directory, pinned], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void owner.kill('SIGKILL'));
    await once(owner.stdout, 'data');
    expect(await factsOf(images, pinned)).toMatchObject({ origin: 'pulled', pinned: true });
    const { removed, kept } = await images.prune({ only: [contained, pinned] });
    expect(removed).toEqual([]);
    const reasons = new Map(kept.map(({ image, reason }) => [image.names[0], reason]));
    expect(reasons.get(contained)).toBe('1 of its containers are there');
    expect(reasons.get(pinned)).toBe('it is pinned for work under way');
    owner.kill('SIGKILL');
    await once(owner, 'close');
    expect((await images.prune({ only: [pinned] })).removed).toHaveLength(1);
    expect(await isHere(docker, pinned)).toBe(false);
  });

  test('are brought before a run only as far as they fit', async () => {
    const names = [];
    for (const what of ['a', 'b', 'c', 'd']) names.push(await published(what, MIB));
    const results = await store({ quotaBytes: 2.5 * MIB }).prepull(names, { concurrency: 1 });
    expect(results.map(({ kind }) => kind)).toEqual(['here', 'here', 'here', 'left-out']);
    expect(results[3]).toMatchObject({ reason: expect.stringContaining('CLADE_IMAGE_QUOTA_GIB') });
  });

  test('are said to go, and do not, in a dry run', async () => {
    const images = store();
    const name = await published('dry', MIB);
    await images.resolve(name);
    const { removed, heldBytes } = await images.prune({ only: [name], dryRun: true });
    expect(removed.flatMap((image) => image.names)).toEqual([name]);
    expect(heldBytes.before - heldBytes.after).toBe(MIB);
    expect(await isHere(docker, name)).toBe(true);
  });

  test('go by age and by name, and nothing goes that is not ours', async () => {
    const [mine, foreign] = [await published('mine'), `${someName('clade-test-foreign')}:1`];
    await importImage(docker, foreign);
    onTestFinished(async () => await discard(docker, [foreign]));
    const images = store();
    await images.resolve(mine);
    await images.resolve(foreign);
    const only = [mine, foreign];
    expect((await images.prune({ only, usedBeforeMs: Date.now() - 60_000 })).removed).toEqual([]);
    const { removed } = await images.prune({ only });
    expect(removed.flatMap(({ names }) => names)).toEqual([mine]);
    expect([await isHere(docker, mine), await isHere(docker, foreign)]).toEqual([false, true]);
    const { removed: all } = await images.prune({ dryRun: true });
    expect(all.filter(({ origin }) => origin === 'foreign')).toEqual([]);
  });
});

function someDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'clade-test-images-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const PINNING = `
const { createDocker } = await import(${JSON.stringify(new URL('../../sandbox/docker/docker.ts', import.meta.url).href)});
const [, directory, image] = process.argv;
const { images } = createDocker({ images: { directory } });
await images.pin(image);
console.log('pinned');
setInterval(() => {}, 60_000);
`;
