import { readdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import type { TrialId } from '#archive/schema.ts';
import { openJobDesk } from '#services/api/job-desk.ts';
import { sha256 } from '#services/worker/content-folder.ts';
import { trialResult } from '#test/archive/builders.ts';
import { aTrial, openRemoteControl, type RemoteControl, tokens } from './remote-control.ts';

const hello = Buffer.from('hello, world');
const digest = sha256(hello);

describe('an upload', () => {
  it('comes in pieces, says how far it is, and is there in the end', async () => {
    await using remote = await openRemoteControl();
    expect(await look(remote)).toEqual({ status: 204, offset: 0, complete: false });
    expect(await send(remote, { offset: 0, bytes: hello.subarray(0, 5) })).toMatchObject({
      offset: 5,
      complete: false,
    });
    expect(await look(remote)).toEqual({ status: 204, offset: 5, complete: false });
    expect((await ask(remote, 'GET', digest)).status).toBe(404);
    expect(await send(remote, { offset: 5, bytes: hello.subarray(5) })).toMatchObject({ offset: 12, complete: true });
    expect(await look(remote)).toEqual({ status: 204, offset: 12, complete: true });
    expect(await ask(remote, 'GET', digest)).toMatchObject({ status: 200, body: 'hello, world' });
  });

  it('is taken once: of what is there already nothing is wanted', async () => {
    await using remote = await openRemoteControl();
    await send(remote, { offset: 0, bytes: hello });
    expect(await send(remote, { offset: 0, bytes: hello })).toMatchObject({ status: 204, offset: 12, complete: true });
    expect(await send(remote, { offset: 7, bytes: Buffer.from('x') })).toMatchObject({ status: 204, complete: true });
    expect(readdirSync(join(remote.home, 'transfer', 'uploads'))).toEqual([]);
  });

  it('is refused and begins anew when it is not what its digest says', async () => {
    await using remote = await openRemoteControl();
    await send(remote, { offset: 0, bytes: hello.subarray(0, 5) });
    const corrupt = await send(remote, { offset: 5, bytes: Buffer.from(', wurld') });
    expect(corrupt).toMatchObject({ status: 422, code: 'corrupt-blob' });
    expect(await look(remote)).toMatchObject({ offset: 0, complete: false });
    expect((await ask(remote, 'GET', digest)).status).toBe(404);
    expect(await send(remote, { offset: 0, bytes: hello })).toMatchObject({ complete: true });
  });

  it('goes on only where it ended, and never beyond its length', async () => {
    await using remote = await openRemoteControl();
    await send(remote, { offset: 0, bytes: hello.subarray(0, 5) });
    for (const offset of [0, 4, 6])
      expect(await send(remote, { offset, bytes: hello.subarray(offset) })).toMatchObject({ code: 'upload-conflict' });
    expect(await send(remote, { offset: 5, bytes: hello, length: 12 })).toMatchObject({ code: 'invalid-request' });
    const [one, other] = await Promise.all([1, 2].map(() => send(remote, { offset: 5, bytes: hello.subarray(5) })));
    expect([one, other]).toMatchObject([{ complete: true }, { complete: true }]);
  });

  it('is no larger than anything that a job leaves, and so is each of its pieces', async () => {
    await using remote = await openRemoteControl();
    const large = await send(remote, { offset: 0, bytes: hello, length: 65 * 2 ** 20 });
    expect(large).toMatchObject({ status: 413, code: 'too-large' });
    const bytes = Buffer.alloc(4 * 2 ** 20 + 1);
    expect(await send(remote, { offset: 0, bytes })).toMatchObject({ status: 413, code: 'too-large' });
    const text = Buffer.from('{"epoch":1,"infra":false,"reason":"').toString() + 'x'.repeat(300_000);
    expect(await ask(remote, 'POST', digest, {}, text, `/v1/jobs/${remote.run.id}-t1/release`)).toMatchObject({
      status: 413,
    });
    expect(readdirSync(join(remote.home, 'transfer', 'uploads'))).toEqual([]);
  });

  it('of the empty text is one empty piece', async () => {
    await using remote = await openRemoteControl();
    const empty = sha256(new Uint8Array());
    expect(await send(remote, { offset: 0, bytes: Buffer.alloc(0) }, empty)).toMatchObject({ complete: true });
    expect(await ask(remote, 'GET', empty)).toMatchObject({ status: 200, body: '' });
  });

  it('that nobody went on with makes room', async () => {
    await using remote = await openRemoteControl();
    const place = join(remote.home, 'transfer', 'uploads');
    for (let n = 0; n < 300; n += 1) writeFileSync(join(place, sha256(Buffer.from(`${n}`))), 'half');
    const stale = sha256(Buffer.from('290'));
    utimesSync(join(place, stale), new Date(), new Date(Date.now() - 2 * 3_600_000));
    await send(remote, { offset: 0, bytes: hello.subarray(0, 5) });
    const left = readdirSync(place);
    expect(left.length).toBeLessThanOrEqual(256);
    expect(left).toContain(digest);
    expect(left).not.toContain(stale);
  });

  it('outlives a restart of control', async () => {
    await using remote = await openRemoteControl();
    await send(remote, { offset: 0, bytes: hello.subarray(0, 5) });
    const other = sha256(Buffer.from('other'));
    await send(remote, { offset: 0, bytes: Buffer.from('other') }, other);
    const desk = await openJobDesk({ control: remote.direct, directory: join(remote.home, 'transfer') });
    expect(await desk.uploads.standing(digest)).toEqual({ offset: 5, complete: false });
    expect(await desk.uploads.standing(other)).toEqual({ offset: 5, complete: true });
    expect(await desk.uploads.add(digest, { offset: 5, length: 12, bytes: hello.subarray(5) })).toMatchObject({
      complete: true,
    });
  });
});

describe('a blob that control lost', () => {
  it('is uploaded again when a result names it', async () => {
    await using remote = await openRemoteControl();
    const client = await remote.client();
    const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    const transcript = 'long '.repeat(10_000);
    const blob = sha256(Buffer.from(transcript));
    // It is damaged as soon as it is here: the first result that names it is refused.
    const take = remote.desk.blobs.take.bind(remote.desk.blobs);
    let damaged = 0;
    remote.desk.blobs.take = async (path, entry) => {
      await take(path, entry);
      if (damaged++ === 0) truncateSync(join(remote.home, 'transfer', 'blobs', blob), 9);
    };
    expect(await client.complete(lease, { ...trialResult(1), transcript })).toBe(true);
    expect(damaged).toBe(2);
    const { transcriptBlob } = remote.archive.trials.get(lease.jobId as TrialId)!;
    expect(remote.archive.blobs.readText(transcriptBlob!)).toBe(transcript);
  });

  it('is made again when it was a task', async () => {
    await using remote = await openRemoteControl();
    const first = (await (await remote.client()).claim(remote.begin(aTrial(remote)), 'w'))!;
    for (const blob of readdirSync(join(remote.home, 'transfer', 'blobs')))
      truncateSync(join(remote.home, 'transfer', 'blobs', blob), 9);
    await remote.direct.release(first.lease, 'back', false);
    const again = await (await remote.client()).claim(first.lease.jobId, 'w');
    expect(again).toMatchObject({ task: { id: 'one' }, lease: { epoch: 2 } });
  });
});

it('gives a job back whose task cannot be had', async () => {
  await using remote = await openRemoteControl();
  const client = await remote.client();
  const jobId = remote.begin(aTrial(remote));
  remote.desk.blobs.find = async () => null;
  expect(await client.claim(jobId, 'w')).toBeNull();
  expect(remote.archive.jobs.get(jobId)).toMatchObject({ state: 'ready', epoch: 1, infraFailures: 1 });
});

async function look(remote: RemoteControl) {
  return standing(await ask(remote, 'HEAD', digest));
}

async function send(
  remote: RemoteControl,
  { offset, bytes, length }: { offset: number; bytes: Uint8Array; length?: number },
  name = digest,
) {
  const whole = length ?? Math.max(12, offset + bytes.length);
  const headers = {
    'content-type': 'application/octet-stream',
    'upload-offset': String(offset),
    'upload-length': String(name === digest ? whole : bytes.length),
  };
  return standing(await ask(remote, 'PATCH', name, headers, bytes));
}

function standing({ status, headers, body }: Awaited<ReturnType<typeof ask>>) {
  if (status >= 400) return { status, code: JSON.parse(body).code as string };
  return { status, offset: Number(headers['upload-offset']), complete: headers['upload-complete'] === '?1' };
}

async function ask(
  { url }: RemoteControl,
  method: 'GET' | 'HEAD' | 'PATCH' | 'POST',
  name: string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
  body?: Uint8Array | string,
  path = `/v1/blobs/${name}`,
) {
  const json = typeof body === 'string' ? { 'content-type': 'application/json' } : {};
  const answer = await request(url + path, {
    method,
    headers: { authorization: `Bearer ${tokens.worker}`, ...headers, ...json },
    body: body ?? null,
  });
  return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() };
}
