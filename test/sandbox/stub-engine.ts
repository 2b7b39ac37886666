import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';
import Docker from 'dockerode';

/** One program that the stub was asked to run. It runs nothing: the test says what came of it. */
export interface StubExec {
  /** The mark that the shell around the program says when it has ended. */
  mark: string;
  /** The connection to its stdin and outputs. */
  stream: Duplex;
  running: boolean;
  /** How often it was asked whether it runs. */
  inspections: number;
}

/** An engine behind the real HTTP interface that does what a real one cannot be made to do when it is wanted. */
export class StubEngine implements AsyncDisposable {
  readonly docker: Docker;
  /** What the container that it made last was asked to be. */
  asked: { Env?: string[]; HostConfig: Record<string, unknown> } | undefined;
  /** From now on no call is answered. */
  isSilent = false;
  /** Told of each program as soon as it was started. */
  onStart: (exec: StubExec) => void = () => {};
  readonly #directory = mkdtempSync(path.join(tmpdir(), 'clade-stub-'));
  readonly #server: Server;
  readonly #execs: (Omit<StubExec, 'stream'> & { stream?: Duplex })[] = [];
  readonly #sockets = new Set<Duplex>();
  #container: { Config: object; HostConfig: unknown; Mounts: [] } | undefined;

  private constructor() {
    const socketPath = path.join(this.#directory, 'engine.sock');
    this.docker = new Docker({ socketPath });
    this.#server = createServer((request, response) => {
      if (this.isSilent) return;
      void this.#answer(request).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(status === 204 ? undefined : JSON.stringify(body));
      });
    });
    this.#server.on('connection', (socket) => this.#sockets.add(socket));
    this.#server.on('upgrade', (request, socket) => this.#hijack(request, socket));
    this.#server.listen(socketPath);
  }

  static async open(): Promise<StubEngine> {
    const engine = new StubEngine();
    await once(engine.#server, 'listening');
    return engine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body?: unknown }> {
    const [, what = '', id = '', verb = ''] = new URL(request.url ?? '', 'http://engine').pathname.split('/');
    const route = `${request.method} ${what} ${what === 'containers' && id === 'create' ? 'create' : verb}`;
    switch (route) {
      case 'GET images json':
        return { status: 200, body: { Id: 'sha256:stub', Config: {} } };
      case 'POST containers create': {
        // The client under test sends what the engine's interface says.
        const asked = (await json(request)) as { HostConfig: Record<string, unknown> };
        this.asked = asked;
        this.#container = { Config: asked, HostConfig: asked.HostConfig, Mounts: [] };
        return { status: 201, body: { Id: 'stub' } };
      }
      case 'GET containers json':
        return this.#container === undefined ? { status: 404 } : { status: 200, body: this.#container };
      case 'GET containers top':
        return {
          status: 200,
          body: {
            Titles: ['PID', 'STAT'],
            Processes: [
              ['1', 'S'],
              ['2', 'S'],
            ],
          },
        };
      case 'POST containers start':
        return { status: 204 };
      case 'DELETE containers ':
        this.#container = undefined;
        return { status: 204 };
      case 'POST containers exec': {
        const asked = (await json(request)) as { Cmd: string[] };
        this.#execs.push({ mark: asked.Cmd[4] ?? '', running: true, inspections: 0 });
        return { status: 201, body: { Id: String(this.#execs.length - 1) } };
      }
      case 'GET exec json': {
        const exec = this.#execs[Number(id)];
        if (exec === undefined) return { status: 404 };
        exec.inspections += 1;
        return { status: 200, body: { Pid: 7, Running: exec.running, ExitCode: exec.running ? null : 0 } };
      }
      default:
        return { status: 500, body: { message: `the stub knows nothing of ${route}` } };
    }
  }

  #hijack(request: IncomingMessage, socket: Duplex): void {
    if (this.isSilent) return;
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    const [, what, id] = (request.url ?? '').split('/');
    const exec = this.#execs[Number(id)];
    if (what === 'containers' || exec === undefined) this.#keep(socket);
    else this.onStart(Object.assign(exec, { stream: socket }));
  }

  /** The keeper's end: every word that it is given comes back. */
  #keep(socket: Duplex): void {
    socket.on('data', (chunk: Buffer) => {
      for (const [word] of chunk.toString().matchAll(/[0-9a-f]{8}-[0-9a-f-]{27}\n/g)) {
        if (!this.isSilent) socket.write(frame('stdout', word));
      }
    });
  }
}

/** What a program printed, as the engine sends it. */
export function frame(stream: 'stdout' | 'stderr', text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream === 'stdout' ? 1 : 2;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}
