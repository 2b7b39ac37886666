import { CladeError } from '#services/errors.ts';
import { isLoopback } from './auth.ts';
import type { Access } from './deps.ts';

export interface Addressed {
  /** The Host header. */
  host: string | undefined;
  origin: string | undefined;
  /** The address and port of ours that the connection came to. */
  localAddress: string | undefined;
  localPort: number | undefined;
  changes: boolean;
}

/**
 * Refuses requests that a web page elsewhere may have sent through the operator's browser: those for a host that is not us
 * (DNS rebinding), and changes with a foreign Origin. The address the connection came to is always us: no name leads there.
 * @throws CladeError `wrong-host`, `wrong-origin`.
 */
export function checkAddressed(access: Access, { host, origin, localAddress, localPort, changes }: Addressed): void {
  const ours = ourHosts(access, localAddress, localPort ?? access.port);
  if (host === undefined || !ours.has(host.toLowerCase())) {
    throw new CladeError(
      'wrong-host',
      `This service does not answer for the host ${JSON.stringify(host ?? '')}. Start it with --allow-host to add a name.`,
    );
  }
  if (changes && origin !== undefined && !ours.has(origin.replace(/^https?:\/\//, '').toLowerCase())) {
    throw new CladeError('wrong-origin', `Pages of ${JSON.stringify(origin)} may not change anything here.`);
  }
}

function ourHosts({ host, allowedHosts }: Access, localAddress: string | undefined, port: number): Set<string> {
  const names = ['localhost', '127.0.0.1', '[::1]', bracketed(host)];
  const address = localAddress?.replace(/^::ffff:/, '');
  if (address !== undefined && !isLoopback(address)) names.push(bracketed(address));
  const withPort = names.map((name) => `${name}:${port}`);
  const bare = port === 80 ? names : [];
  return new Set([...withPort, ...bare, ...(allowedHosts ?? [])].map((one) => one.toLowerCase()));
}

function bracketed(address: string): string {
  return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
}
