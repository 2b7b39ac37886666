import { createHash, timingSafeEqual } from 'node:crypto';
import { CladeError } from '#services/errors.ts';
import type { Access } from './deps.ts';

/** `viewer` may read, `admin` may also create and steer runs; `worker` may do what workers do, and nothing else. */
export type Role = 'viewer' | 'admin' | 'worker';

/** @returns the role an `Authorization` header gives, null for none. Without tokens for people everyone is admin who sends none. */
export type Authenticate = (authorization: string | undefined) => Role | null;

/** @throws CladeError `invalid-config` for an address beyond loopback without a token. */
export function createAuthenticate({ host, tokens }: Access): Authenticate {
  const known = hashed(tokens);
  const isOpen = !known.some(({ role }) => role !== 'worker');
  if (isOpen && !isLoopback(host)) throw tokenless(host);
  return (authorization) => {
    if (known.length === 0 || (isOpen && authorization === undefined)) return 'admin';
    const token = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return null;
    const hash = sha256(token);
    // Every token is compared, so that the time taken does not tell which one came close.
    const roles = known.filter((one) => timingSafeEqual(one.hash, hash)).map((one) => one.role);
    return roles.includes('admin') ? 'admin' : (roles[0] ?? null);
  };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function hashed(tokens: Access['tokens']): { role: Role; hash: Buffer }[] {
  const roles = ['admin', 'viewer', 'worker'] as const;
  return roles.flatMap((role) => {
    const token = tokens[role];
    return token === undefined || token === '' ? [] : [{ role, hash: sha256(token) }];
  });
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function tokenless(host: string): CladeError {
  return new CladeError(
    'invalid-config',
    `Listening on ${host} lets other machines in, which needs a token: set CLADE_ADMIN_TOKEN (and CLADE_VIEWER_TOKEN for ` +
      'readers) to long random texts, or listen on 127.0.0.1.',
  );
}
