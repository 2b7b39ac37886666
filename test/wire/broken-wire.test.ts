import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { JobId, TrialId } from '#archive/schema.ts';
import { ControlAway } from '#services/worker/control-away.ts';
import { trialResult } from '#test/archive/builders.ts';
import { chatEvents, fallsSilentAfter, says, startProvider } from '#test/gateway/stand-in-provider.ts';
import { type Cut, openCutWire } from './cut-wire.ts';
import { aTrial, openRemoteControl, type RemoteControl, tasks } from './remote-control.ts';

const lost = { afterAnswered: 0 };

describe('an answer that gets lost', () => {
  it('gives the same lease when it was to a claim', async () => {
    await using remote = await openRemoteControl();
    await using wire = await openCutWire(remote.url);
    const client = await remote.client({ url: wire.url });
    const jobId = remote.begin(aTrial(remote));
    wire.cut(/claim/, lost, lost);
    const job = await client.claim(jobId, 'w');
    expect(job?.lease).toEqual({ jobId, epoch: 1 });
    expect(wire.requests.filter((line) => line.endsWith('/claim'))).toHaveLength(3);
    expect(eventsOf(remote, 'job-claimed')).toHaveLength(1);
    // Whoever asks for it afresh does not get it.
    expect(await client.claim(jobId, 'w')).toBeNull();
    expect(await client.renew(job!.lease)).toBe(true);
  });

  it('still means success when it was to a result', async () => {
    await using remote = await openRemoteControl();
    await using wire = await openCutWire(remote.url);
    const client = await remote.client({ url: wire.url });
    const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    wire.cut(/complete/, lost, lost);
    expect(await client.complete(lease, trialResult(1))).toBe(true);
    expect(eventsOf(remote, 'trial-settled')).toHaveLength(1);
    expect(wire.requests.filter((line) => line.endsWith('/complete'))).toHaveLength(3);
  });

  it('does no harm when it was to anything else that may be asked twice', async () => {
    await using remote = await openRemoteControl();
    await using wire = await openCutWire(remote.url);
    const client = await remote.client({ url: wire.url });
    const { tree } = remote.archive.agents.get(`${remote.run.id}-a1`)!;
    wire.cut(/blobs/, { afterAnswered: 500 });
    wire.cut(/sources/, lost, { afterAnswered: 1_000 });
    wire.cut(/renew/, lost);
    wire.cut(/release/, lost);
    const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    expect(await client.renew(lease)).toBe(true);
    expect((await client.source(tree)).length).toBeGreaterThan(1_000);
    await client.release(lease, 'the engine is down', true);
    expect(remote.archive.jobs.get(lease.jobId)).toMatchObject({ state: 'ready', infraFailures: 1 });
  });
});

it('takes nothing for a task or a source that is not what its digest says', async () => {
  await using remote = await openRemoteControl();
  await using wire = await openCutWire(remote.url);
  const client = await remote.client({ url: wire.url });
  const { tree } = remote.archive.agents.get(`${remote.run.id}-a1`)!;
  wire.cut(/blobs/, { garbled: true });
  wire.cut(/sources/, { garbled: true });
  expect(await client.claim(remote.begin(aTrial(remote)), 'w')).toMatchObject({ task: tasks[0] });
  expect(Buffer.compare(await client.source(tree), await remote.direct.source(tree))).toBe(0);
  expect(wire.requests.filter((line) => /blobs|sources/.test(line))).toHaveLength(4);
});

describe('an upload that is cut off', () => {
  it('goes on where it was', async () => {
    await using remote = await openRemoteControl();
    await using wire = await openCutWire(remote.url);
    const client = await remote.client({ url: wire.url });
    const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    const transcript = Array.from({ length: 15 * 2 ** 16 }, (_, n) => n.toString(36).padStart(16)).join('');
    const digest = createHash('sha256').update(transcript).digest('hex');
    // The first piece arrives and its answer does not; the second one breaks in its middle.
    wire.cut(/PATCH/, lost, { afterSent: 1_000_000 });
    expect(await client.complete(lease, { ...trialResult(0), transcript })).toBe(true);
    const [pieces, looks] = ['PATCH', 'HEAD'].map((verb) => wire.requests.filter((line) => line.startsWith(verb)));
    // 15 MiB in pieces of 4: four, and the one that was sent again.
    expect([pieces?.length, looks?.length]).toEqual([5, 3]);
    const { transcriptBlob } = remote.archive.trials.get(lease.jobId as TrialId)!;
    expect(remote.archive.blobs.readText(transcriptBlob!)).toBe(transcript);
    expect(await remote.desk.uploads.standing(digest)).toMatchObject({ complete: true });
  });
});

describe('control that is away', () => {
  it('is told apart from control that refuses', async () => {
    await using remote = await openRemoteControl();
    await using wire = await openCutWire(remote.url);
    const client = await remote.client({ url: wire.url });
    const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    await wire.part();
    await expect(client.renew(lease)).rejects.toThrow(ControlAway);
    const waiting = client.complete(lease, trialResult(1));
    await wire.join();
    expect(await waiting).toBe(true);
  });

  it('is what a service seems that is ending', async () => {
    await using remote = await openRemoteControl();
    const client = await remote.client();
    const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    await remote.api.close();
    await expect(client.renew(lease)).rejects.toThrow(ControlAway);
  });

  it('lets a model call wait that it never heard', async () => {
    await using provider = await startProvider(says('I do.'));
    await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
    await using wire = await openCutWire(remote.url);
    const client = await remote.client({ url: wire.url });
    const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    await wire.part();
    const asked = client.model(lease, 'trial', chat());
    await wire.join();
    expect(await (await asked).json()).toMatchObject({ choices: [{ message: { content: 'I do.' } }] });
    expect(provider.received).toHaveLength(1);
  });
});

describe('a model call whose connection breaks', () => {
  it('is made and paid for once, and gets its answer all the same', async () => {
    await using provider = await startProvider(says('I do.'));
    await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
    await using wire = await openCutWire(remote.url);
    const client = await remote.client({ url: wire.url });
    const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    wire.cut(/model/, lost, { afterAnswered: 400 });
    const answer = await client.model(lease, 'trial', chat());
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: 'I do.' } }] });
    expect(wire.requests.filter((line) => line.startsWith('POST') && line.includes('/model/'))).toHaveLength(3);
    expect(provider.received).toHaveLength(1);
    // Asked again by the agent, it is another call.
    await client.model(lease, 'trial', chat());
    expect(remote.archive.ledger.calls(lease.jobId).map(({ state }) => state)).toEqual(['settled', 'settled']);
  });

  it('goes on in the middle of a stream, to the byte', async () => {
    const said = Array.from({ length: 500 }, (_, n) => `${n} `).join('');
    await using provider = await startProvider(says(said));
    await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
    await using wire = await openCutWire(remote.url);
    const [far, near] = [await remote.client({ url: wire.url }), remote.direct];
    const { lease } = (await far.claim(remote.begin(aTrial(remote)), 'w'))!;
    wire.cut(/model/, { afterAnswered: 3_000 }, lost, { afterAnswered: 20_001 });
    const broken = await (await far.model(lease, 'trial', chat({ stream: true }))).text();
    const whole = await (await near.model(lease, 'trial', chat({ stream: true }))).text();
    expect(broken).toBe(whole);
    expect(provider.received).toHaveLength(2);
  });
});

it('marks a streamed answer whose way broke as no fault of the agent', async () => {
  const [first, ...more] = chatEvents('a b');
  await using provider = await startProvider(fallsSilentAfter(first!, more[0]!));
  await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
  await using wire = await openCutWire(remote.url);
  const client = await remote.client({ url: wire.url });
  const { lease } = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
  const answer = await client.model(lease, 'trial', chat({ stream: true }));
  const reader = answer.body!.getReader();
  await reader.read();
  await using stranger = await openRemoteControl();
  wire.lead(stranger.url);
  await wire.part();
  await wire.join();
  let rest = '';
  for (let part = await reader.read(); !part.done; part = await reader.read())
    rest += Buffer.from(part.value).toString();
  expect(rest).toMatch(/^: x-clade-infra control_away$/m);
  expect(rest).toMatch(/^data: .*"error":\{"message":"The connection to the model gateway broke."/m);
});

it('loses no job, does none twice and pays for no call twice, whatever breaks', async () => {
  await using provider = await startProvider(says('One word after another.'));
  await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
  await using wire = await openCutWire(remote.url);
  const client = await remote.client({ url: wire.url });
  const random = chance(7);
  wire.disturb(() => anyCut(random));
  const jobs = Array.from({ length: 24 }, (_, n) => remote.begin(aTrial(remote, 'one', n + 1)));
  await Promise.all(jobs.map((jobId) => doJob(jobId)));
  expect(eventsOf(remote, 'trial-settled')).toHaveLength(jobs.length);
  for (const jobId of jobs) {
    expect(remote.archive.jobs.get(jobId)?.state).toBe('done');
    const paid = remote.archive.ledger.calls(jobId).filter(({ spentUusd }) => spentUusd > 0);
    expect(paid).toHaveLength(1);
  }
  expect(provider.received).toHaveLength(jobs.length);

  /** As a worker would, and as the sweep would where nobody heard of a lease. */
  async function doJob(jobId: JobId): Promise<void> {
    try {
      const job = await client.claim(jobId, 'w');
      if (job === null) throw new Error('not to be had');
      const answer = await client.model(job.lease, 'trial', chat({ stream: true }));
      const transcript = `${await answer.text()}${'x'.repeat(50_000)}`;
      if (!(await client.complete(job.lease, { ...trialResult(1), transcript }))) throw new Error('stale');
    } catch {
      if (remote.archive.jobs.get(jobId)?.state === 'done') return;
      remote.archive.jobs.expire(jobId, Date.now());
      await doJob(jobId);
    }
  }
});

/** A third of all requests breaks, each in its own way. */
function anyCut(random: () => number): Cut | null {
  if (random() > 0.33) return null;
  const bytes = Math.floor(random() * 3_000);
  return random() < 0.5 ? { afterSent: bytes } : { afterAnswered: bytes };
}

/** A linear congruential generator, of Numerical Recipes. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function chat(more: object = {}): Request {
  const body = JSON.stringify({ model: 'cheap', messages: [{ role: 'user', content: 'Well?' }], ...more });
  return new Request('http://relay/v1/chat/completions', { method: 'POST', body });
}

function eventsOf({ archive, run }: RemoteControl, kind: string) {
  return archive.events.after({ runId: run.id, seq: 0 }).filter(({ data }) => data.kind === kind);
}
