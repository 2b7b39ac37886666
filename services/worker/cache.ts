import { ContentFolder } from './content-folder.ts';

/**
 * What a worker got from control and will need again: agents' sources and tasks. It may be lost at any time. Several workers
 * may share a folder.
 */
export interface ContentCache {
  /**
   * The bytes of that name (letters and digits), fetched once however many ask for them meanwhile.
   * @throws what `fetch` throws.
   */
  get(name: string, fetch: () => Promise<Uint8Array>): Promise<Uint8Array>;
}

/** 1 GiB: thousands of agents and tasks. */
const DEFAULT_BYTES = 2 ** 30;

/** @throws DiskFull; what the file system throws when the folder cannot be made. */
export async function openContentCache(
  directory: string,
  { maxBytes = DEFAULT_BYTES }: { maxBytes?: number } = {},
): Promise<ContentCache> {
  const folder = await ContentFolder.open(directory, { maxBytes });
  const underWay = new Map<string, Promise<Uint8Array>>();

  async function fetched(name: string, fetch: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const known = await folder.read(name);
    if (known !== null) return known;
    const bytes = await fetch();
    // A cache that cannot keep it is slow, and no reason to fail.
    await folder.put(bytes, name).catch(() => undefined);
    return bytes;
  }

  return {
    async get(name, fetch) {
      const already = underWay.get(name);
      if (already !== undefined) return already;
      const fetching = fetched(name, fetch).finally(() => underWay.delete(name));
      underWay.set(name, fetching);
      return fetching;
    },
  };
}
