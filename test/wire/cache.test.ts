import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openContentCache } from '#services/worker/cache.ts';
import { ContentFolder, sha256 } from '#services/worker/content-folder.ts';
import { temporaryDirectory } from '#test/archive/builders.ts';
import { aTrial, openRemoteControl, tasks } from './remote-control.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

it('fetches a thing once, however many want it at the same time and later', async () => {
  using directory = temporaryDirectory();
  const cache = await openContentCache(directory.path);
  let fetched = 0;
  const fetch = async () => {
    fetched += 1;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return bytesOf('source');
  };
  const got = await Promise.all(Array.from({ length: 20 }, () => cache.get('abc', fetch)));
  got.push(await cache.get('abc', fetch), await (await openContentCache(directory.path)).get('abc', fetch));
  expect(got.map((bytes) => Buffer.from(bytes).toString())).toEqual(Array(22).fill('source'));
  expect(fetched).toBe(1);
});

it('asks again after a fetch that failed', async () => {
  using directory = temporaryDirectory();
  const cache = await openContentCache(directory.path);
  await expect(cache.get('abc', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await cache.get('abc', async () => bytesOf('x'))).toEqual(bytesOf('x'));
});

it('fetches again what was damaged on the disk', async () => {
  using directory = temporaryDirectory();
  const cache = await openContentCache(directory.path);
  await cache.get('abc', async () => bytesOf('as it was'));
  const [file] = readdirSync(directory.path);
  truncateSync(join(directory.path, file!), 3);
  expect(await cache.get('abc', async () => bytesOf('as it was'))).toEqual(bytesOf('as it was'));
  expect(readFileSync(join(directory.path, file!), 'utf8')).toBe('as it was');
});

it('keeps what was used last when there is no room for all, and no more than that', async () => {
  using directory = temporaryDirectory();
  const folder = await ContentFolder.open(directory.path, { maxBytes: 30 });
  for (const name of ['a', 'b', 'c']) await folder.put(bytesOf(`${name}123456789`), name);
  await folder.read('a');
  await folder.put(bytesOf('d123456789'), 'd');
  const there = await Promise.all(['a', 'b', 'c', 'd'].map((name) => folder.read(name)));
  expect(there.map((bytes) => bytes !== null)).toEqual([true, false, true, true]);
  expect([folder.bytes, readdirSync(directory.path).length]).toEqual([30, 3]);
  await expect(folder.put(bytesOf('x'.repeat(31)))).rejects.toThrow(RangeError);
  // One that opens it with less room keeps the latest.
  const smaller = await ContentFolder.open(directory.path, { maxBytes: 10 });
  expect([smaller.bytes, readdirSync(directory.path).length]).toEqual([10, 1]);
});

it('does not take for whole what a killed process left half written', async () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, 'unfinished-1'), 'half');
  writeFileSync(join(directory.path, sha256(bytesOf('whole'))), 'who');
  writeFileSync(join(directory.path, 'of somebody else'), 'stays');
  const folder = await ContentFolder.open(directory.path, { maxBytes: 100 });
  expect(await folder.read(sha256(bytesOf('whole')))).toBeNull();
  expect(readdirSync(directory.path)).toEqual(['of somebody else']);
});

it('holds one source under a name at a time', async () => {
  using directory = temporaryDirectory();
  const folder = await ContentFolder.open(directory.path, { maxBytes: 100 });
  await folder.put(bytesOf('first'), 'tree');
  await folder.put(bytesOf('second!'), 'tree');
  expect(await folder.read('tree')).toEqual(Buffer.from('second!'));
  expect([folder.bytes, readdirSync(directory.path).length]).toEqual([7, 1]);
});

it('serves a worker that meets a task or an agent again, without asking control', async () => {
  await using remote = await openRemoteControl();
  const client = await remote.client();
  const { tree } = remote.archive.agents.get(`${remote.run.id}-a1`)!;
  let asked: string[] = [];
  remote.api.server.on('request', ({ method, url }) => void asked.push(`${method} ${url}`));
  const first = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
  await client.source(tree);
  expect(asked.filter((one) => /blobs|sources/.test(one))).toHaveLength(2);
  await client.release(first.lease, 'again', false);
  asked = [];
  expect(await client.claim(first.lease.jobId, 'w')).toMatchObject({ task: tasks[0] });
  await client.source(tree);
  expect(asked.filter((one) => /blobs|sources/.test(one))).toEqual([]);
});
