import { Worker } from 'bullmq';
import { describe, expect, inject, it } from 'vitest';
import { openRedisServer, type RedisServer } from '#test/provision/redis.ts';
import { bell, bells, listenTo, openPhone, PREFIX, ringAll, ringUntilHeard, until } from './phone.ts';

describe.skipIf(!inject('redis').available)('the BullMQ queue', () => {
  it('hears everything again after all of Redis was wiped while doorbells waited', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await ringAll(phone.queue, bells(300));
    await until(async () => (await waiting(redis)) === 300);
    await redis.command('flushall');
    await using listener = listenTo(phone.queue);
    await ringUntilHeard(phone.queue, bells(300), listener);
  });

  it('hears on when Redis is wiped under a listener that waits', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await using listener = listenTo(phone.queue);
    await ringUntilHeard(phone.queue, [bell(1)], listener);
    await redis.command('flushall');
    await redis.command('script', 'flush');
    await ringUntilHeard(phone.queue, bells(100), listener);
  });

  it('rings anew for a job of which Redis kept the record and lost the place in the line', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await ringAll(phone.queue, bells(3));
    await until(async () => (await waiting(redis)) === 3);
    await redis.command('del', `${PREFIX}:cpu:wait`);
    await using listener = listenTo(phone.queue);
    await ringUntilHeard(phone.queue, bells(3), listener);
  });

  it('goes on after Redis was killed and begun anew', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await using listener = listenTo(phone.queue);
    await ringUntilHeard(phone.queue, bells(10), listener);
    await redis.kill();
    await until(() => !phone.queue.health().connected);
    await ringAll(phone.queue, bells(1_000));
    await redis.restart();
    await ringUntilHeard(phone.queue, bells(50), listener);
    expect(phone.queue.health()).toEqual({ connected: true, why: null });
  });

  it('tells of an outage once, and of its end', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await using _listener = listenTo(phone.queue);
    await redis.kill();
    await until(() => phone.queue.health().why?.includes('ECONNREFUSED') === true);
    await redis.restart();
    await until(() => phone.queue.health().connected);
    expect(phone.log).toEqual([
      'warn: Redis carries no doorbells; workers ask control instead, which is slower',
      'info: Redis carries doorbells again',
    ]);
  });

  it('gives up on a Redis that answers nothing, and goes on when it does', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await using listener = listenTo(phone.queue);
    await ringUntilHeard(phone.queue, bells(1), listener);
    redis.freeze();
    await ringAll(phone.queue, bells(2_000));
    await until(() => !phone.queue.health().connected);
    await ringAll(phone.queue, bells(2_000));
    redis.thaw();
    await ringUntilHeard(phone.queue, bells(50), listener);
  });

  it('goes on after Redis had no memory left', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await using listener = listenTo(phone.queue);
    await redis.command('config', 'set', 'maxmemory', 1);
    await ringAll(phone.queue, bells(10));
    await until(() => phone.queue.health().why?.includes('OOM') === true);
    await redis.command('config', 'set', 'maxmemory', 0);
    await ringUntilHeard(phone.queue, bells(10), listener);
  });

  it('starts while Redis is away, and finds it when it comes', async () => {
    await using redis = await openRedisServer();
    await redis.kill();
    await using phone = await openPhone(redis.url);
    await using listener = listenTo(phone.queue);
    expect(phone.queue.health().connected).toBe(false);
    await redis.restart();
    await ringUntilHeard(phone.queue, bells(10), listener);
  });

  it('hears in its free slots what comes another way while Redis is away', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    const release = Promise.withResolvers<void>();
    await using listener = listenTo(phone.queue, 2, () => release.promise);
    await ringUntilHeard(phone.queue, [bell(1)], listener);
    await redis.kill();
    for (const doorbell of [bell(2), bell(3), bell(3)]) phone.queue.hint(doorbell);
    await until(() => listener.heard.length === 2);
    release.resolve();
    await until(() => listener.heard.length === 3);
    expect(listener.heard).toEqual([bell(1), bell(2), bell(3)].map(({ jobId }) => jobId));
  });

  it('hears what another listener had taken when it died', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await ringAll(phone.queue, [bell(1)]);
    await until(async () => (await waiting(redis)) === 1);
    await takeAndDie(redis.url);
    expect(await waiting(redis)).toBe(0);
    await using listener = listenTo(phone.queue);
    await until(() => listener.heard.length === 1);
  });

  it('hears on where Redis does not let anybody wait', async () => {
    await using redis = await openRedisServer({ user: 'default on nopass ~* &* +@all -bzpopmin' });
    await using phone = await openPhone(redis.url);
    await using listener = listenTo(phone.queue);
    await until(() => phone.log.length > 0);
    await ringUntilHeard(phone.queue, bells(3), listener);
  });

  it('leaves nothing of a doorbell in Redis once it was heard', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    const release = Promise.withResolvers<void>();
    await using listener = listenTo(phone.queue, 2, () => release.promise);
    await ringAll(phone.queue, bells(2));
    await until(async () => listener.heard.length === 2 && (await keysOf(redis, 'rabcdef')).length === 0);
    release.resolve();
  });

  it('leaves doorbells to others while its slots are taken', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    const release = Promise.withResolvers<void>();
    await using listener = listenTo(phone.queue, 2, () => release.promise);
    await ringAll(phone.queue, bells(10));
    await until(() => listener.heard.length === 2);
    await using another = await openPhone(redis.url);
    await using other = listenTo(another.queue);
    await until(() => other.heard.length === 8);
    release.resolve();
  });

  it('asks once and sends nothing when it is rung again for ten thousand that wait', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await ringAll(phone.queue, bells(10_000));
    await until(async () => (await waiting(redis)) === 10_000);
    await redis.command('config', 'resetstat');
    await ringAll(phone.queue, bells(10_000));
    await until(async () => (await callsOf(redis, 'lrange')) > 0);
    await ringAll(phone.queue, [bell(10_001)]);
    await until(async () => (await waiting(redis)) === 10_001);
    expect((await callsOf(redis, 'eval')) + (await callsOf(redis, 'evalsha'))).toBe(1);
  });

  it('ends though Redis answers nothing and doorbells are due', async () => {
    await using redis = await openRedisServer();
    {
      await using phone = await openPhone(redis.url);
      await using listener = listenTo(phone.queue);
      await ringUntilHeard(phone.queue, [bell(1)], listener);
      redis.freeze();
      await ringAll(phone.queue, bells(1_000));
    }
    redis.thaw();
  });

  it('ends though Redis never came', async () => {
    await using redis = await openRedisServer();
    await redis.kill();
    await using phone = await openPhone(redis.url);
    await using _listener = listenTo(phone.queue);
  });
});

/** A listener that took the next doorbell and was killed before it could say so. */
async function takeAndDie(url: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
  const worker = new Worker('cpu', null, { connection, prefix: PREFIX, autorun: false, lockDuration: 500 });
  const job = await worker.getNextJob('dead');
  expect(job?.id).toBe(bell(1).jobId);
  await worker.close(true);
}

async function waiting(redis: RedisServer): Promise<number> {
  return Number(await redis.command('llen', `${PREFIX}:cpu:wait`));
}

async function keysOf(redis: RedisServer, part: string): Promise<unknown[]> {
  const keys = await redis.command('keys', `*${part}*`);
  return Array.isArray(keys) ? keys : [];
}

/** How often a command was run since the statistics were reset. */
async function callsOf(redis: RedisServer, command: string): Promise<number> {
  const info = String(await redis.command('info', 'commandstats'));
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(info)?.[1] ?? 0);
}
