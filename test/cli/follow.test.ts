import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { RunId } from '#archive/schema.ts';
import { remoteRun } from '#services/cli/follow.ts';
import { ServiceClient } from '#services/cli/service-client.ts';
import { newRun, type TestService, testService } from '#test/api/service.ts';

async function listening(): Promise<TestService & { client: ServiceClient }> {
  const service = await testService({ access: { host: '127.0.0.1', port: 0, tokens: {} } });
  await service.api.listen({ host: '127.0.0.1', port: 0 });
  return { ...service, client: new ServiceClient(service.api.listeningOrigin, undefined) };
}

function say({ archive }: TestService, runId: RunId, message: string): void {
  archive.events.notice(runId, 'info', 'test', message, 1);
}

it('a stream that breaks is taken up where it broke: nothing is lost and nothing comes twice', async () => {
  await using service = await listening();
  const run = await newRun(service.archive);
  using source = remoteRun(service.client, run.id);
  const heard: number[] = [];
  const hear = () => {
    heard.push(...source.news().map(({ seq }) => seq));
    return heard.at(-1);
  };
  const last = () => service.archive.events.after({ runId: run.id, seq: 0 }).at(-1)!.seq;
  await expect.poll(hear).toBe(last());
  for (let round = 0; round < 2; round += 1) {
    say(service, run.id, `before break ${round}`);
    await expect.poll(hear).toBe(last());
    service.api.server.closeAllConnections();
    service.archive.transaction(() => {
      for (let count = 0; count < 600; count += 1) say(service, run.id, `during break ${round}`);
    });
    await expect.poll(hear, { timeout: 5_000 }).toBe(last());
  }
  expect(heard).toEqual(service.archive.events.after({ runId: run.id, seq: 0 }).map(({ seq }) => seq));
});

it('the look that shows a run over leaves no news of it behind', async () => {
  await using service = await listening();
  const run = await newRun(service.archive);
  using source = remoteRun(service.client, run.id);
  await expect.poll(() => source.news().length).toBeGreaterThan(0);
  service.api.server.closeAllConnections();
  say(service, run.id, 'the last word');
  service.archive.runs.setState(run.id, 'finished', 'all done', 2);
  expect((await source.look()).run.state).toBe('finished');
  expect(source.news().map(({ data }) => data)).toMatchObject([
    { kind: 'notice', message: 'the last word' },
    { kind: 'run-state', state: 'finished' },
  ]);
  await sleep(1_500);
  expect(source.news()).toEqual([]);
});

it('a stream that is refused is asked for again after a pause, until nobody follows any more', async () => {
  await using service = await listening();
  const asked: string[] = [];
  service.api.server.on('request', ({ url }) => asked.push(url ?? ''));
  const source = remoteRun(service.client, 'r000000');
  await expect.poll(() => asked.length, { timeout: 5_000 }).toBe(2);
  source[Symbol.dispose]();
  await sleep(1_500);
  expect(asked).toHaveLength(2);
});
