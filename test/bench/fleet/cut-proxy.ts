import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A network between workers and control that can be cut. */
export interface CutProxy extends AsyncDisposable {
  url: string;
  /** Breaks what is open; until `mend`, new connections are accepted and hear nothing. */
  cut(): void;
  mend(): void;
}

/** Carries bytes to the port of loopback that it is told when somebody comes. */
export async function openCutProxy(portOf: () => number): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    keep(near);
    if (isCut) return;
    const far = connect(portOf(), '127.0.0.1');
    keep(far);
    near.pipe(far);
    far.pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  };
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut() {
      isCut = true;
      breakAll();
    },
    mend() {
      isCut = false;
      breakAll();
    },
    async [Symbol.asyncDispose]() {
      breakAll();
      server.close();
      await once(server, 'close');
    },
  };
}
