import { describe, expect, it } from 'vitest';
import { DiskFull, NotFound, StaleLease } from '#archive/errors.ts';
import { isTrial } from '#archive/jobs.ts';
import type { JobId, Lease, ProposalId, TrialId } from '#archive/schema.ts';
import type { ClaimedJob, ControlClient } from '#services/worker/control-client.ts';
import { proposalResult, trialResult } from '#test/archive/builders.ts';
import { json, refuses, says, startProvider } from '#test/gateway/stand-in-provider.ts';
import { aProposal, aTrial, openRemoteControl, type RemoteControl, tasks } from '#test/wire/remote-control.ts';

/** Each way in which a worker reaches control. */
const ways: [string, (remote: RemoteControl) => Promise<ControlClient>][] = [
  ['beside it', async ({ direct }) => direct],
  ['over HTTP', (remote) => remote.client()],
];

describe.each(ways)('a client of control, %s', (_way, clientOf) => {
  it('gets a trial with the whole task, its hidden files included', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const jobId = remote.begin(aTrial(remote, 'two'));
    const { id, tree } = remote.archive.agents.get(`${remote.run.id}-a1`)!;
    expect(await client.claim(jobId, 'w')).toEqual({
      ...{ kind: 'trial', lease: { jobId, epoch: 1 }, leaseMs: 30_000, runId: remote.run.id, spec: remote.run.spec },
      ...{ owner: remote.archive.ownerId, agent: { id, tree }, task: tasks[1], model: 'cheap' },
    });
    expect(remote.archive.jobs.get(jobId)).toMatchObject({ state: 'leased', worker: 'w', epoch: 1 });
  });

  it('gets a proposal with what the parent did before', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const transcript = `\u{feff}Grüße ${'lang '.repeat(20_000)}\0\u{1f642}`;
    const before = (await client.claim(remote.begin(aTrial(remote)), 'w'))!;
    await client.complete(before.lease, { ...trialResult(0), patch: 'a patch', transcript });
    const trialIds = [before.lease.jobId as TrialId];
    const jobId = remote.begin(aProposal(remote), { kind: 'failed-task', trialIds });
    const parent = remote.archive.agents.get(`${remote.run.id}-a1`)!;
    const job = await client.claim(jobId, 'w');
    expect(job).toMatchObject({
      kind: 'proposal',
      parent: { id: parent.id, commit: parent.commit, tree: parent.tree },
      editor: { id: parent.id, tree: parent.tree },
      evidence: { kind: 'failed-task', trialIds },
      tried: [],
      smokeTask: tasks[0],
    });
    const stored = remote.archive.trials.get(trialIds[0]!)!.transcriptBlob!;
    const past = { task: 'one', instruction: 'Do it.', outcome: 'unresolved', y: 0, patch: 'a patch' };
    expect((job as ClaimedJob & { past: unknown }).past).toEqual([
      { ...past, transcript: remote.archive.blobs.readText(stored) },
    ]);
  });

  it('gets nothing where there is nothing to be had', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const jobId = remote.begin(aTrial(remote));
    expect(await client.claim(`${remote.run.id}-t9`, 'w')).toBeNull();
    const [first, second] = await Promise.all([client.claim(jobId, 'w'), client.claim(jobId, 'w')]);
    expect([first, second].filter((job) => job !== null)).toHaveLength(1);
    remote.archive.jobs.setAside({ jobId }, 'cancelled', 'stopped', 1);
    expect(await client.claim(jobId, 'w')).toBeNull();
  });

  it('keeps a lease until it is lost', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    const before = remote.archive.jobs.get(lease.jobId)!.leaseUntil!;
    while (Date.now() + 30_000 <= before) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(await client.renew(lease)).toBe(true);
    expect(remote.archive.jobs.get(lease.jobId)!.leaseUntil).toBeGreaterThan(before);
    remote.archive.jobs.expire(lease.jobId, Date.now());
    expect(await client.renew(lease)).toBe(false);
    expect(await client.renew({ ...lease, epoch: 7 })).toBe(false);
    expect(await client.renew({ jobId: `${remote.run.id}-t9`, epoch: 1 })).toBe(false);
  });

  it('gets the source of an agent, and an error for one that is not there', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { tree } = remote.archive.agents.get(`${remote.run.id}-a1`)!;
    const tar = await client.source(tree);
    expect(Buffer.from(tar).toString('latin1')).toContain('console.log(1);');
    expect(Buffer.compare(tar, await remote.archive.repository.sourceTar(tree))).toBe(0);
    await expect(client.source('0'.repeat(40))).rejects.toThrow();
  });

  it('has a self-edit staged, or hears why not', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client, aProposal(remote));
    const { commit } = remote.archive.agents.get(`${remote.run.id}-a1`)!;
    const edit = (to: string) =>
      `diff --git a/main.ts b/main.ts\n--- a/main.ts\n+++ b/main.ts\n@@ -1 +1 @@\n-console.log(1);\n+console.log(${to});\n`;
    expect(await client.stage(lease, commit, edit('2'))).toEqual({ tree: expect.stringMatching(/^[0-9a-f]{40}$/) });
    expect(await client.stage(lease, commit, '')).toMatchObject({ rejected: 'empty' });
    expect(await client.stage(lease, commit, edit('2').replace('-console', '-consul'))).toMatchObject({
      rejected: 'does-not-apply',
    });
    // All of it escaped in JSON.
    expect(await client.stage(lease, commit, edit('\u0001'.repeat(2 * 2 ** 20)))).toMatchObject({
      rejected: 'too-large',
    });
    const stale = { ...lease, epoch: 9 };
    await expect(client.stage(stale, commit, edit('2'))).rejects.toThrow(new StaleLease(lease.jobId, 9));
  });

  it('reaches the model, and gets its answer as the gateway gave it', async () => {
    await using provider = await startProvider(says('I do.'), says('One word after another.'), refuses(400, 'odd'));
    await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    const whole = await client.model(lease, 'trial', chat());
    expect([whole.status, whole.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(await whole.json()).toMatchObject({ choices: [{ message: { content: 'I do.' } }] });
    const stream = await client.model(lease, 'trial', chat({ stream: true }));
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const text = await stream.text();
    expect(text).toMatch(/"content":"One ".*"content":"word ".*\n\ndata: \[DONE\]\n\n$/s);
    const refused = await client.model(lease, 'trial', chat());
    expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([400, 'false']);
    expect(await refused.json()).toMatchObject({ error: { code: 'odd' } });
    expect(remote.archive.ledger.calls(lease.jobId).map(({ state }) => state)).toEqual([
      'settled',
      'settled',
      'released',
    ]);
    expect(provider.received.map(({ authorization }) => authorization)).toEqual(Array(3).fill('Bearer test-key'));
  });

  it('hears of the gateway which models there are, and what it does not serve', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    const ask = (path: string) => client.model(lease, 'trial', new Request(`http://relay${path}`));
    expect(await (await ask('/v1/models')).json()).toMatchObject({ data: [{ id: 'cheap' }] });
    expect((await ask('/v1/models/che%61p?x=1')).status).toBe(404);
    expect((await ask('/v1/models/cheap?x=1')).status).toBe(200);
    expect(await (await ask('/v1/files')).json()).toMatchObject({ error: { code: 'unknown_url' } });
    // No path of an agent's making is anything but a path that is not served.
    for (const path of ['/v1/%zz', '/v1/../../x', '/v1//%00\\', `/v1/${'x'.repeat(30_000)}`, '/v1/ü?%zz'])
      expect([path.slice(0, 20), (await ask(path)).status]).toEqual([path.slice(0, 20), 404]);
    const wrong = await client.model(
      lease,
      'trial',
      new Request('http://relay/v1/responses', { method: 'POST', body: '{' }),
    );
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { error: { code: 'invalid_json' } }]);
    const other = await client.model(lease, 'diagnosis', chat());
    expect(await other.json()).toMatchObject({ error: { code: 'model_not_found' } });
  });

  it('is told by the gateway what is no fault of the agent, and that a lease is stale', async () => {
    await using provider = await startProvider(json({}, 500));
    await using remote = await openRemoteControl({ baseUrl: provider.baseUrl });
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    const failed = await client.model(lease, 'trial', chat());
    expect([failed.status, failed.headers.get('x-clade-infra')]).toEqual([502, 'upstream_failed']);
    remote.archive.jobs.expire(lease.jobId, Date.now());
    const stale = await client.model(lease, 'trial', chat());
    expect([stale.status, await stale.json()]).toMatchObject([409, { error: { code: 'lease_lost' } }]);
    await expect(client.model({ jobId: `${remote.run.id}-t9`, epoch: 1 }, 'trial', chat())).rejects.toThrow(NotFound);
  });

  it('shows what it does while it holds the lease', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    const { jobId } = lease;
    client.report({ ...lease, epoch: 4 }, { jobId, stage: 'preparing', detail: 'stale' });
    for (const detail of ['1', '2', '3']) client.report(lease, { jobId, stage: 'solving', detail });
    await expect.poll(() => remote.progress.at(-1)).toEqual({ jobId, stage: 'solving', detail: '3' });
    client.report(lease, { jobId, stage: 'grading', detail: '' });
    await expect.poll(() => remote.progress.at(-1)).toMatchObject({ stage: 'grading' });
    expect(remote.progress.filter(({ detail }) => detail === 'stale')).toEqual([]);
  });

  it('hands in a trial once, however often it asks', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    const texts = { patch: 'p'.repeat(40_000), transcript: `ü\n${'x'.repeat(5_000_000)}`, graderLog: null };
    const result = { ...trialResult(1), ...texts, reason: 'all passed' };
    expect(await client.complete({ ...lease, epoch: 3 }, result)).toBe(false);
    expect(await client.complete(lease, result)).toBe(true);
    expect(await client.complete(lease, result)).toBe(true);
    expect(await client.complete({ ...lease, epoch: 2 }, result)).toBe(false);
    const trial = remote.archive.trials.get(lease.jobId as TrialId)!;
    expect(trial).toMatchObject({ outcome: 'resolved', y: 1, reason: 'all passed', solveMs: 5, graderLogBlob: null });
    expect(textsOf(remote, trial.patchBlob, trial.transcriptBlob)).toEqual([texts.patch, texts.transcript]);
    expect(remote.archive.agents.get(`${remote.run.id}-a1`)).toMatchObject({ n: 1, s: 1 });
  });

  it('hands in a proposal, whose child joins', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client, aProposal(remote));
    const { commit } = remote.archive.agents.get(`${remote.run.id}-a1`)!;
    const patch =
      'diff --git a/new.ts b/new.ts\nnew file mode 100644\n--- /dev/null\n+++ b/new.ts\n@@ -0,0 +1 @@\n+1;\n';
    const staged = (await client.stage(lease, commit, patch)) as { tree: string };
    const result = proposalResult({ ...staged, patch, transcript: 'how', title: 'A child', diagnosis: 'why' });
    expect(await client.complete(lease, result)).toBe(true);
    expect(await client.complete(lease, result)).toBe(true);
    const proposal = remote.archive.proposals.get(lease.jobId as ProposalId)!;
    expect(proposal).toMatchObject({ outcome: 'joined', title: 'A child', diagnosis: 'why' });
    expect(textsOf(remote, proposal.patchBlob, proposal.transcriptBlob)).toEqual([patch, 'how']);
    expect(remote.archive.agents.lineage(remote.run.id)).toHaveLength(2);
  });

  it('changes nothing by a result that comes after the job was taken away or given back', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    remote.archive.jobs.expire(lease.jobId, Date.now());
    const again = (await client.claim(lease.jobId, 'another'))!;
    expect(await client.complete(lease, trialResult(1))).toBe(false);
    expect(remote.archive.trials.get(lease.jobId as TrialId)).toMatchObject({ outcome: null });
    await client.release(again.lease, 'shutting down', false);
    expect(await client.complete(again.lease, trialResult(1))).toBe(false);
    const last = (await client.claim(lease.jobId, 'a third'))!;
    expect(last.lease.epoch).toBe(again.lease.epoch + 1);
    remote.archive.jobs.setAside(last.lease, 'infra', 'too often', 1);
    expect(await client.complete(last.lease, trialResult(1))).toBe(false);
  });

  it('gives a job back, once, with what the harness has to say', async () => {
    await using remote = await openRemoteControl();
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    await client.release(lease, 'the engine is down', true);
    await client.release(lease, 'the engine is down', true);
    expect(remote.archive.jobs.get(lease.jobId)).toMatchObject({ state: 'ready', infraFailures: 1 });
    const events = remote.archive.events.after({ runId: remote.run.id, seq: 0 }).map(({ data }) => data);
    const requeued = events.filter(({ kind }) => kind === 'job-requeued');
    expect(requeued).toEqual([expect.objectContaining({ reason: 'the engine is down' })]);
  });

  it('hears that the disk of control is full', async () => {
    const full = async (): Promise<never> => {
      throw new DiskFull('no room here');
    };
    await using remote = await openRemoteControl({
      wrap: (control) => ({ ...control, complete: full, renew: full }),
    });
    const client = await clientOf(remote);
    const { lease } = await claimed(remote, client);
    await expect(client.complete(lease, trialResult(1))).rejects.toThrow(new DiskFull('no room here'));
    await expect(client.renew(lease)).rejects.toThrow(DiskFull);
  });
});

async function claimed(
  remote: RemoteControl,
  client: ControlClient,
  action = aTrial(remote),
): Promise<{ lease: Lease }> {
  const jobId: JobId = remote.begin(action);
  const job = await client.claim(jobId, 'w');
  if (job === null) throw new Error(`${isTrial(jobId) ? 'trial' : 'proposal'} ${jobId} was not to be had`);
  return job;
}

function chat(more: object = {}, signal?: AbortSignal): Request {
  const body = JSON.stringify({ model: 'cheap', messages: [{ role: 'user', content: 'Well?' }], ...more });
  const headers = { 'content-type': 'application/json' };
  return new Request('http://relay/v1/chat/completions', { method: 'POST', headers, body, signal });
}

function textsOf({ archive }: RemoteControl, ...blobs: (string | null)[]) {
  return blobs.map((blob) => blob && archive.blobs.readText(blob));
}
