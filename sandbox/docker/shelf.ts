import { setTimeout as delay } from 'node:timers/promises';
import type { ImageInfo } from 'dockerode';
import type { ImageFacts, ImageOrigin, Pruned, PruneOptions } from '#sandbox/images.ts';
import { abortable, answered, type Engine, statusOf } from './answer.ts';
import { PURPOSE_LABEL } from './derived.ts';
import { isDerivedTag } from './derived-address.ts';
import { heldBytes, type ImageLayers } from './image-bytes.ts';
import { parseImageName } from './image-names.ts';
import type { ImageRecord, ImageRecords } from './image-records.ts';
import { inspectImage } from './inspect.ts';

/** Sizes take the engine long where there are many images. */
const SIZES_PATIENCE = 20;
const USAGE_POLL_MS = 200;

interface Shelved extends ImageFacts {
  layers: readonly string[];
  /** Its tags and digests. Names that it gets later are not touched. */
  references: readonly string[];
  /** Whether it was brought here or made from this data directory. */
  isRecorded: boolean;
}

/** The images that the engine has: what they are, how much they hold, and which go first. */
export class Shelf {
  readonly #engine: Engine;
  readonly #records: ImageRecords;
  /** Layers never change. */
  readonly #layers = new Map<string, readonly string[]>();

  constructor(engine: Engine, records: ImageRecords) {
    this.#engine = engine;
    this.#records = records;
  }

  async list(): Promise<ImageFacts[]> {
    return (await this.#all()).map(factsOf);
  }

  /** The ids of images without a name that no others are made of. */
  async nameless(): Promise<string[]> {
    const { docker, answerMs } = this.#engine;
    const filters = { dangling: ['true'] };
    const list = (abortSignal: AbortSignal) => docker.listImages({ filters, abortSignal });
    return (await answered(SIZES_PATIENCE * answerMs, list).catch(() => [])).map(({ Id }) => Id);
  }

  /** As the store's `prune`. */
  async prune({ usedBeforeMs = Number.POSITIVE_INFINITY, only, dryRun = false }: PruneOptions): Promise<Pruned> {
    const images = await this.#all();
    const isMeant = (image: Shelved): boolean =>
      isOurs(image) &&
      image.lastUsedMs < usedBeforeMs &&
      (only === undefined || only.some((name) => isCalled(image, name)));
    const pruned: Pruned = { removed: [], kept: [], heldBytes: { before: held(images, isOurs), after: 0 } };
    for (const image of leastRecentlyUsed(images.filter(isMeant))) {
      const reason = await this.#remove(image, dryRun);
      if (reason === null) pruned.removed.push(factsOf(image));
      else pruned.kept.push({ image: factsOf(image), reason });
    }
    const gone = new Set(pruned.removed.map(({ id }) => id));
    const left = dryRun ? images.filter(({ id }) => !gone.has(id)) : await this.#all();
    pruned.heldBytes.after = held(left, isOurs);
    return pruned;
  }

  /**
   * Removes what was pulled or derived from this data directory, the least recently used first, until that holds no more than
   * `quotaBytes`; those in `keep` stay. What others brought is left to them.
   * @returns whether it holds no more.
   */
  async makeRoom(quotaBytes: number, keep: ReadonlySet<string>): Promise<boolean> {
    const mayGo = ({ id, origin }: Shelved): boolean => origin !== 'built' && !keep.has(id);
    for (const tried = new Set<string>(); ; ) {
      const images = await this.#all();
      if (held(images, isRecorded) <= quotaBytes) return true;
      const candidates = images.filter((image) => isRecorded(image) && mayGo(image));
      const next = leastRecentlyUsed(candidates).find(({ id }) => !tried.has(id));
      if (next === undefined) return false;
      tried.add(next.id);
      await this.#remove(next, false);
    }
  }

  /** Why it stays; null when it is gone (or would be). */
  async #remove(image: Shelved, dryRun: boolean): Promise<string | null> {
    const { pins } = await this.#records.read(image.id);
    if (pins > 0) return 'it is pinned for work under way';
    if (image.containers > 0) return `${image.containers} of its containers are there`;
    if (dryRun) return null;
    for (const name of image.references.length > 0 ? image.references : [image.id]) {
      const refusal = await this.#unname(name);
      if (refusal !== null) return refusal;
    }
    // Where other images were made of it, it stays below those without a name, and goes with the last of them.
    await this.#records.forget(image.id);
    return null;
  }

  /** Takes a name from an image, and with the last one the image goes. Null when that was done. */
  async #unname(name: string): Promise<string | null> {
    const { docker, answerMs } = this.#engine;
    const remove = (abortSignal: AbortSignal) => docker.getImage(name).remove(abortable({}, abortSignal));
    try {
      await answered(SIZES_PATIENCE * answerMs, remove);
      return null;
    } catch (error) {
      if (statusOf(error) === 404) return null;
      if (statusOf(error) === 409) return 'the engine says that it is in use';
      throw error;
    }
  }

  async #all(): Promise<Shelved[]> {
    const containers = await this.#containers();
    const images: Shelved[] = [];
    for (const info of await this.#sizes()) {
      const record = await this.#records.read(info.Id);
      images.push(shelved(info, record, containers.get(info.Id) ?? 0, await this.#layersOf(info.Id)));
    }
    return images;
  }

  async #layersOf(id: string): Promise<readonly string[]> {
    const known = this.#layers.get(id);
    if (known !== undefined) return known;
    const layers = (await inspectImage(this.#engine, id))?.RootFS?.Layers ?? [];
    this.#layers.set(id, layers);
    return layers;
  }

  async #containers(): Promise<Map<string, number>> {
    const { docker, answerMs } = this.#engine;
    const list = (abortSignal: AbortSignal) => docker.listContainers({ all: true, abortSignal });
    const counts = new Map<string, number>();
    for (const { ImageID } of await answered(answerMs, list)) counts.set(ImageID, (counts.get(ImageID) ?? 0) + 1);
    return counts;
  }

  /** Engines before 23 tell what images share only along with everything else that takes room. */
  async #sizes(): Promise<ImageInfo[]> {
    const { docker, answerMs } = this.#engine;
    const options = { all: false, 'shared-size': true };
    const list = (abortSignal: AbortSignal) => docker.listImages(abortable(options, abortSignal));
    const listed = await answered(SIZES_PATIENCE * answerMs, list);
    if (listed.every(({ SharedSize }) => SharedSize >= 0)) return listed;
    const used = await answered(SIZES_PATIENCE * answerMs, (abortSignal) => this.#usage(abortSignal));
    return used.Images ?? [];
  }

  /** Engines before 23 do that for one at a time and refuse all others. */
  async #usage(abortSignal: AbortSignal): ReturnType<Engine['docker']['df']> {
    for (;;) {
      try {
        return await this.#engine.docker.df();
      } catch (error) {
        if (!(error instanceof Error) || !error.message.includes('already running') || abortSignal.aborted) throw error;
        await delay(USAGE_POLL_MS, undefined, { signal: abortSignal });
      }
    }
  }
}

/** Bytes of layers that none but these have. */
function held(images: readonly Shelved[], counts: (image: Shelved) => boolean): number {
  const measured = images.map((image): ImageLayers => {
    const { sizeBytes, uniqueBytes, layers } = image;
    return { sizeBytes, sharedBytes: sizeBytes - uniqueBytes, layers, counts: counts(image) };
  });
  return heldBytes(measured);
}

const isOurs = ({ origin }: ImageFacts): boolean => origin !== 'foreign';
const isRecorded = (image: Shelved): boolean => isOurs(image) && image.isRecorded;

function isCalled({ id, references }: Shelved, name: string): boolean {
  return id === name || references.some((reference) => fullName(reference) === fullName(name));
}

function leastRecentlyUsed(images: readonly Shelved[]): Shelved[] {
  return images.toSorted((a, b) => a.lastUsedMs - b.lastUsedMs);
}

function shelved(info: ImageInfo, record: ImageRecord, containers: number, layers: readonly string[]): Shelved {
  const tags = (info.RepoTags ?? []).filter((name) => name !== '<none>:<none>');
  const digests = (info.RepoDigests ?? []).filter((name) => name !== '<none>@<none>');
  return {
    id: info.Id,
    names: tags.length > 0 ? tags : digests,
    digest: digests.map((name) => parseImageName(name)?.digest).find((digest) => digest != null) ?? info.Id,
    origin: originOf(tags, digests, record),
    sizeBytes: info.Size,
    uniqueBytes: info.Size - Math.max(0, info.SharedSize),
    lastUsedMs: record.usedMs ?? info.Created * 1000,
    pinned: record.pins > 0,
    containers,
    purpose: info.Labels?.[PURPOSE_LABEL] ?? null,
    layers,
    references: [...tags, ...digests],
    isRecorded: record.broughtAs.length > 0,
  };
}

/**
 * Ours are those that have no name but such as we gave them or brought them by, and of those without any (whose name has gone
 * to another build) the ones that we brought or made. Labels say nothing: they are inherited.
 */
function originOf(tags: readonly string[], digests: readonly string[], { broughtAs }: ImageRecord): ImageOrigin {
  const brought = new Set(broughtAs.map(fullName));
  const repositories = new Set(broughtAs.map((name) => parseImageName(name)?.name));
  const isOwn = (tag: string): boolean => tag.startsWith('clade/') || brought.has(fullName(tag));
  const hasOwn = (digest: string): boolean =>
    digest.startsWith('clade/') || repositories.has(parseImageName(digest)?.name);
  const names = tags.length + digests.length === 0 ? broughtAs : [...tags, ...digests];
  if (names.length === 0 || !tags.every(isOwn) || !digests.every(hasOwn)) return 'foreign';
  if (names.some(isDerivedTag)) return 'derived';
  return names.some((name) => name.startsWith('clade/')) ? 'built' : 'pulled';
}

/** `python` is `python:latest`. */
function fullName(image: string): string {
  const parsed = parseImageName(image);
  if (parsed === null) return image;
  return parsed.digest === null ? `${parsed.name}:${parsed.tag ?? 'latest'}` : `${parsed.name}@${parsed.digest}`;
}

function factsOf({ layers: _, references: __, isRecorded: ___, ...facts }: Shelved): ImageFacts {
  return facts;
}
