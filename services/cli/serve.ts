import { type AddressInfo, createServer as createSocket } from 'node:net';
import { readOwner } from '#archive/owner.ts';
import type { Access, ApiDeps } from '#services/api/deps.ts';
import { modelViews } from '#services/api/model-view.ts';
import { createServer } from '#services/api/server.ts';
import type { Service } from '#services/compose.ts';
import type { Config } from '#services/config.ts';
import { CladeError } from '#services/errors.ts';

export interface Listening extends AsyncDisposable {
  url: string;
}

/** What the API needs, from a service. */
export function apiDeps(
  { archive, scheduler, fleet, suites, config, metrics, desk, log }: Service,
  allowedHosts: readonly string[],
): ApiDeps {
  const access: Access = { host: config.host, port: config.port, tokens: config.tokens, allowedHosts };
  const createRun: ApiDeps['createRun'] = (spec, key) => scheduler.createRun(spec, Date.now(), key);
  const remote = desk === null ? {} : { remote: { desk, fleet } };
  return { archive, scheduler, createRun, suites, models: modelViews(config), metrics, access, fleet, ...remote, log };
}

/** Answers over HTTP until disposed of, and says in the data directory where. @throws CladeError `port-occupied`, `invalid-config`. */
export async function serve(service: Service, allowedHosts: readonly string[]): Promise<Listening> {
  await using opening = new AsyncDisposableStack();
  const app = opening.adopt(await createServer(apiDeps(service, allowedHosts)), (api) => api.close());
  const { host, port } = service.config;
  await app.listen({ host, port }).catch((error: unknown) => {
    throw listenError(error, host, port);
  });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${portOf(app.server.address()) ?? port}`;
  service.archive.announce(url);
  opening.defer(() => service.archive.announce(null));
  const parts = opening.move();
  return { url, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/**
 * Fails early where `serve` would fail later, before any work has begun.
 * @throws CladeError `port-occupied`; `home-in-use` when it is the service of the same data directory that holds the port.
 */
export async function checkPort({ home, host, port }: Config): Promise<void> {
  const socket = createSocket();
  const taken = await new Promise<unknown>((resolve) => {
    socket.once('error', resolve);
    socket.listen({ host, port }, () => socket.close(() => resolve(null)));
  });
  if (taken === null) return;
  const other = readOwner(home);
  if (!other?.url || new URL(other.url).port !== String(port)) throw listenError(taken, host, port);
  throw new CladeError(
    'home-in-use',
    `A service for ${home} is running already, at ${other.url} (process ${other.pid}). Use that one, or stop it first.`,
  );
}

function portOf(address: AddressInfo | string | null): number | null {
  return typeof address === 'object' ? (address?.port ?? null) : null;
}

function listenError(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE')
    return new CladeError(
      'port-occupied',
      `Port ${port} of ${host} is taken. Choose another with --port, or --port 0 for any free one.`,
    );
  if (code === 'EACCES')
    return new CladeError(
      'port-occupied',
      `Port ${port} needs more rights than this process has. Choose one above 1023 with --port.`,
    );
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new CladeError('port-occupied', `${host} is no address of this machine. Choose another with --host.`);
  }
  return error;
}
