import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Run } from '#archive/schema.ts';
import { run } from '#test/provision/command.ts';
import { provideRedisImage } from '#test/provision/compose.ts';
import { type Deployment, deployment, healthy, inspected, madeBy } from './deployment.ts';

const compose = inject('compose');
const docker = inject('docker');
const SOCKET = '/var/run/docker.sock';

/** The part of what Compose makes of the file that is looked at. */
const Reserved = z.object({ reservations: z.object({ devices: z.array(z.object({ driver: z.string() })) }) });
const Composed = z.object({
  services: z.record(
    z.string(),
    z.object({ profiles: z.array(z.string()).optional(), deploy: z.object({ resources: Reserved }).optional() }),
  ),
});

describe.skipIf(!compose.available)('docker-compose.yml', () => {
  it('says what to do first when nothing was prepared', async () => {
    await using fresh = await deployment();
    await expect(fresh.compose('config')).rejects.toThrow('sh docs/deploy/prepare.sh');
  });

  it.skipIf(!docker.available)('is prepared by a script that keeps what is there', async () => {
    await using fresh = await deployment();
    await fresh.prepare();
    const token = await fresh.secret('admin-token');
    expect(token).toMatch(/^[0-9a-f]{48}$/);
    expect(await fresh.secret('redis-url')).toBe(`redis://:${await fresh.secret('redis-password')}@redis:6379`);
    expect((await stat(path.join(fresh.directory, '.secrets'))).mode & 0o777).toBe(0o700);
    await writeFile(path.join(fresh.directory, '.secrets/openai-api-key'), 'sk-mine');
    await fresh.prepare();
    expect(await fresh.secret('admin-token')).toBe(token);
    expect(await fresh.secret('openai-api-key')).toBe('sk-mine');
  });

  it.skipIf(!docker.available).each([
    ['gpu', ['worker-gpu']],
    ['metrics', ['grafana', 'prometheus']],
    ['vllm', ['vllm']],
  ])('has a profile %s that adds %j', async (profile, added) => {
    await using fresh = await deployment();
    await fresh.prepare();
    const { services } = Composed.parse(parse(await fresh.compose('--profile', profile, 'config')));
    const names = (isIn: (profiles: string[] | undefined) => boolean | undefined) =>
      Object.keys(services).filter((name) => isIn(services[name]?.profiles));
    expect(names((profiles) => profiles === undefined).sort()).toEqual(['control', 'redis', 'worker']);
    expect(names((profiles) => profiles?.includes(profile)).sort()).toEqual(added);
    for (const name of added) {
      const devices = services[name]?.deploy?.resources.reservations.devices ?? [];
      expect(devices.map(({ driver }) => driver)).toEqual(profile === 'metrics' ? [] : ['nvidia']);
    }
  });

  it.skipIf(!docker.available)(
    'comes up, does a run in sandboxes of the engine, and leaves nothing behind',
    { timeout: 900_000 },
    async () => {
      let project: string;
      let runId: string;
      {
        await using deployed = await deployment();
        project = deployed.project;
        await provideRedisImage('redis:7-bookworm');
        await deployed.prepare();
        await deployed.compose('up', '--build', '--detach');
        for (const service of ['redis', 'control', 'worker']) await healthy(deployed, service);
        await keepsApart(deployed);
        runId = await finishesRun(deployed);
        expect(await deployed.compose('exec', '-T', 'control', 'clade', 'workers')).toMatch(/^compose +active +0\/4/m);
        await deployed.compose('down', '--volumes', '--timeout', '20');
      }
      expect(await madeBy(project, 'container')).toEqual([]);
      expect(await madeBy(project, 'volume')).toEqual([]);
      expect(await madeBy(project, 'network')).toEqual([]);
      const sandboxes = ['docker', 'container', 'ls', '--all', '--quiet', '--filter', `label=dev.clade.run=${runId}`];
      expect(await run(sandboxes)).toBe('');
    },
  );
});

/** Who may reach what, and by what right. */
async function keepsApart({ project, secret }: Deployment): Promise<void> {
  const [redis, control, worker] = await Promise.all(
    ['redis', 'control', 'worker'].map((service) => inspected(project, service)),
  );
  const hasSocket = (one: typeof redis) => one!.Mounts.some(({ Destination }) => Destination === SOCKET);
  expect([redis, control, worker].map(hasSocket)).toEqual([false, false, true]);
  for (const { Config, HostConfig } of [redis!, control!, worker!]) {
    expect(Config.User).toMatch(/^(1000:1000|999:999)$/);
    expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'] });
    for (const limit of [HostConfig.Memory, HostConfig.NanoCpus, HostConfig.PidsLimit])
      expect(limit).toBeGreaterThan(0);
    const visible = [...Config.Env, ...Config.Cmd].join('\n');
    for (const name of ['admin-token', 'worker-token', 'redis-password'])
      expect(visible).not.toContain(await secret(name));
  }
  expect(Object.keys(redis!.NetworkSettings.Networks)).toEqual([`${project}_jobs`]);
  expect(control!.Mounts.map(({ Destination }) => Destination)).toContain('/data');
}

/** A small run through the published port, from its start to its end. @returns its id. */
async function finishesRun({ url, secret }: Deployment): Promise<string> {
  const authorization = `Bearer ${await secret('admin-token')}`;
  expect((await fetch(`${url}/v1/runs`)).status).toBe(401);
  const spec = {
    suite: 'katas',
    slots: 2,
    sandbox: 'docker',
    policy: { kind: 'hgm', firstChildren: 1 },
    budget: { trials: 3, proposals: 1 },
    finalMeasure: false,
  };
  const headers = { authorization, 'content-type': 'application/json' };
  const begun = await fetch(`${url}/v1/runs`, { method: 'POST', headers, body: JSON.stringify(spec) });
  expect(begun.status).toBe(201);
  // What a route for runs answers begins with the run.
  const { id } = (await begun.json()) as Run;
  const over = await ended(`${url}/v1/runs/${id}`, headers);
  expect(over).toMatchObject({ state: 'finished', counts: { trialsSettled: 3 } });
  const viewer = { authorization: `Bearer ${await secret('viewer-token')}` };
  const metrics = await (await fetch(`${url}/metrics`, { headers: viewer })).text();
  expect(metrics).toMatch(/^clade_redis_up 1$/m);
  expect(metrics).toMatch(/^clade_worker_slots\{worker="compose"\} 4$/m);
  expect(metrics).toMatch(/^clade_jobs_claimed_total\{worker="compose"\} \d+$/m);
  return id;
}

async function ended(url: string, headers: Record<string, string>): Promise<Run> {
  for (;;) {
    const one = (await (await fetch(url, { headers })).json()) as Run; // As above.
    if (['finished', 'failed', 'stopped', 'paused'].includes(one.state)) return one;
    await sleep(500);
  }
}
