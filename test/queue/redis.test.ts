import { describe, expect, inject, it } from 'vitest';
import { faultIn } from '#services/queue/redis-fitness.ts';
import { openRedisServer } from '#test/provision/redis.ts';
import { bells, listenTo, openPhone, ringUntilHeard, until } from './phone.ts';

describe('a Redis', () => {
  it('may carry doorbells from version 6.2.0 on', () => {
    const versions = ['5.0.14', '6.0.16', '6.1.9', '6.2.0', '6.2', '6.10.1', '7.0.15', '8.2.1', 'unknown', null];
    const fit = versions.filter((version) => faultIn({ version, policy: 'noeviction' }) === null);
    expect(fit).toEqual(['6.2.0', '6.2', '6.10.1', '7.0.15', '8.2.1', 'unknown', null]);
    expect(faultIn({ version: '5.0.14', policy: null })).toContain('at least 6.2.0');
  });

  it('is refused under an address that is none', async () => {
    await expect(openPhone('localhost:6379')).rejects.toThrow('must look like redis://host:6379');
  });
});

describe.skipIf(!inject('redis').available)('a Redis that runs', () => {
  const refused = { code: 'invalid-config', message: expect.stringContaining('maxmemory-policy to noeviction') };

  it.each(['allkeys-lru', 'volatile-lru', 'allkeys-random'])('is refused when its policy is %s', async (policy) => {
    await using redis = await openRedisServer({ 'maxmemory-policy': policy });
    await expect(openPhone(redis.url)).rejects.toMatchObject(refused);
  });

  it('is refused for its policy also where CONFIG is not allowed', async () => {
    await using redis = await openRedisServer({
      'maxmemory-policy': 'allkeys-lru',
      user: 'default on nopass ~* &* +@all -config',
    });
    await expect(openPhone(redis.url)).rejects.toMatchObject(refused);
  });

  it('is refused for its policy also where INFO is not allowed', async () => {
    await using redis = await openRedisServer({
      'maxmemory-policy': 'allkeys-lru',
      user: 'default on nopass ~* &* +@all -info',
    });
    await expect(openPhone(redis.url)).rejects.toMatchObject(refused);
  });

  it('is used when it tells nothing of its policy', async () => {
    await using redis = await openRedisServer({ user: 'default on nopass ~* &* +@all -info -config' });
    await using phone = await openPhone(redis.url);
    await using listener = listenTo(phone.queue);
    await ringUntilHeard(phone.queue, bells(3), listener);
  });

  it('is refused when it wants another password, without naming the one it was given', async () => {
    await using redis = await openRedisServer({ requirepass: 'right' });
    const { host } = new URL(redis.url);
    await expect(openPhone(redis.url)).rejects.toThrow(`redis://${host} lets nobody in`);
    const wrong = openPhone(`redis://:wrong@${host}`);
    await expect(wrong).rejects.toThrow(/Put user and password/);
    await expect(wrong).rejects.not.toThrow(/wrong@/);
    await using phone = await openPhone(`redis://:right@${host}`);
    await using listener = listenTo(phone.queue);
    await ringUntilHeard(phone.queue, bells(3), listener);
  });

  it('is used on, with an error in the log, when it comes back and may evict', async () => {
    await using redis = await openRedisServer();
    await using phone = await openPhone(redis.url);
    await using listener = listenTo(phone.queue);
    await redis.kill();
    await redis.restart({ 'maxmemory-policy': 'allkeys-lru' });
    await until(() => phone.log.some((line) => line.startsWith('error: the Redis that came back may evict')));
    await ringUntilHeard(phone.queue, bells(3), listener);
  });
});
