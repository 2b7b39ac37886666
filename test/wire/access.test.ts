import { request } from 'undici';
import { expect, it } from 'vitest';
import { testService } from '#test/api/service.ts';
import { aTrial, openRemoteControl, tokens } from './remote-control.ts';

const digest = 'a'.repeat(64);
const calls = (job: string): ['GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE', string][] => [
  ...['claim', 'renew', 'progress', 'complete', 'release', 'stage'].map((verb): ['POST', string] => [
    'POST',
    `/v1/jobs/${job}/${verb}`,
  ]),
  ['GET', `/v1/jobs/${job}/model/trial`],
  ['POST', `/v1/jobs/${job}/model/trial`],
  ['DELETE', `/v1/jobs/${job}/model/trial`],
  ['GET', `/v1/sources/${'0'.repeat(40)}`],
  ['GET', `/v1/blobs/${digest}`],
  ['HEAD', `/v1/blobs/${digest}`],
  ['PATCH', `/v1/blobs/${digest}`],
];

it('lets nobody do what workers do but them and the admin', async () => {
  await using remote = await openRemoteControl();
  const job = remote.begin(aTrial(remote));
  for (const [method, path] of calls(job)) {
    const status = async (token: string | null) => {
      const headers = token === null ? {} : { authorization: `Bearer ${token}` };
      const answer = await request(remote.url + path, { method, headers });
      await answer.body.dump();
      return answer.statusCode;
    };
    expect([path, await status(null), await status('a-wrong-token'), await status(tokens.viewer)]).toEqual([
      path,
      ...[401, 401, 403],
    ]);
    for (const token of [tokens.worker, tokens.admin]) expect([401, 403, 405]).not.toContain(await status(token));
  }
  expect(remote.archive.jobs.get(job)).toMatchObject({ state: 'ready', epoch: 0 });
});

it('lets a worker do nothing else', async () => {
  await using remote = await openRemoteControl();
  const headers = { authorization: `Bearer ${tokens.worker}` };
  for (const path of ['/v1/runs', `/v1/runs/${remote.run.id}`, `/v1/runs/${remote.run.id}/trials`]) {
    const answer = await request(remote.url + path, { headers });
    await answer.body.dump();
    expect([path, answer.statusCode]).toEqual([path, 403]);
  }
});

it('has none of it in a service without workers elsewhere', async () => {
  await using service = await testService();
  for (const [method, url] of calls('r000000-t1')) {
    const { statusCode } = await service.api.inject({ method, url, headers: { host: 'localhost' } });
    expect([url, statusCode]).toEqual([url, 404]);
  }
});

it('takes bytes only where bytes are asked for', async () => {
  await using remote = await openRemoteControl();
  const answer = await request(`${remote.url}/v1/runs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/octet-stream' },
    body: '{}',
  });
  expect([answer.statusCode, await answer.body.json()]).toMatchObject([415, { code: 'not-json' }]);
});
