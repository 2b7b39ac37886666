import type { Redis } from 'ioredis';

/** The oldest that BullMQ is made for; see its guide on Redis compatibility. */
const OLDEST = [6, 2, 0];

/** What `faultIn` says of a Redis. One that tells nobody how it is set up is given the benefit of the doubt. */
export async function faultOf(client: Redis): Promise<string | null> {
  const info = await client.info().catch(() => '');
  return faultIn({
    version: fieldOf(info, 'redis_version'),
    policy: fieldOf(info, 'maxmemory_policy') ?? (await configuredPolicy(client)),
  });
}

/**
 * Why such a Redis must not carry doorbells, and what to do about it, as the rest of a sentence about it; null when it may.
 * What is not known is null.
 */
export function faultIn({ version, policy }: { version: string | null; policy: string | null }): string | null {
  if (version !== null && isTooOld(version)) {
    return `is version ${version}; at least ${OLDEST.join('.')} is needed. Upgrade it, or name another one.`;
  }
  if (policy === null || policy === 'noeviction') return null;
  return (
    `may evict what it holds (maxmemory-policy is ${policy}), which doorbells do not survive. ` +
    'Set maxmemory-policy to noeviction in its configuration, or run: redis-cli config set maxmemory-policy noeviction'
  );
}

/** Null where it may not be asked, as with many hosted ones. */
async function configuredPolicy(client: Redis): Promise<string | null> {
  const answer: unknown = await client.config('GET', 'maxmemory-policy').catch(() => []);
  return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : null;
}

function fieldOf(info: string, field: string): string | null {
  return new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
}

function isTooOld(version: string): boolean {
  const parts = version.split('.').map(Number);
  const differing = OLDEST.findIndex((oldest, index) => (parts[index] ?? 0) !== oldest);
  return differing >= 0 && (parts[differing] ?? 0) < OLDEST[differing]!;
}
