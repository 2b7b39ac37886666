import { readFile } from 'node:fs/promises';
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Connection, Sandbox } from '#sandbox/sandbox.ts';
import { carryStream, type Forward } from './carry.ts';

export interface RelayOptions {
  /**
   * Answers one request of the sandbox. Its URL is `http://relay/v1/...`, its method GET or POST, its body at most
   * `maxBodyBytes`; of its headers only `content-type` and `accept` come through. Its signal aborts when the sandbox's
   * program hangs up or the sandbox goes away. The Response is streamed back as fast as the sandbox reads it.
   */
  forward: Forward;
  /** Ends the relay. */
  signal?: AbortSignal;
  /** How long the program inside may take to start. Default 30 s. */
  startTimeoutMs?: number;
  /** The largest request body. Default 8 MiB; larger ones are answered with 413. */
  maxBodyBytes?: number;
  /** What all request bodies under way may hold together. Default 64 MiB; above it requests are answered with 503. */
  maxBufferedBytes?: number;
}

/** An open way from a sandbox without network to `forward`. Disposing of it hangs up on every request under way. */
export interface Relay extends AsyncDisposable {
  /** `http://127.0.0.1:<port>/v1`, as programs in the sandbox reach it: the value of OPENAI_BASE_URL. */
  readonly baseUrl: string;
  /** Resolves when the relay has ended, whoever ended it. Never rejects. */
  readonly closed: Promise<void>;
}

/** The program in the sandbox never got as far as listening. The message holds what it wrote to stderr. */
export class RelayFailed extends Error {
  override name = 'RelayFailed';
}

/**
 * Starts the relay program in the sandbox and answers its requests with `forward`.
 *
 * The program is in the agent's hands, so whatever it sends is hostile until proven otherwise: garbage, floods and resets
 * end this relay and nothing else.
 * @throws RelayFailed when the program does not start; the signal's reason when aborted; what `sandbox.connect` throws.
 */
export async function openRelay(sandbox: Sandbox, options: RelayOptions): Promise<Relay> {
  const argv = ['node', '--input-type=commonjs', '-e', await program()];
  const connection = await sandbox.connect(argv, { env: sandbox.baseEnv, signal: options.signal });
  const session = performServerHandshake(connection.stream, SESSION_LIMITS);
  const relay = new OpenRelay(connection, session, options);
  try {
    await relay.start(options.startTimeoutMs ?? 30_000);
  } catch (error) {
    await relay[Symbol.asyncDispose]();
    throw error;
  }
  return relay;
}

/** Handed over as an argument: one round trip less than a file, and nothing in the sandbox can replace it before it runs. */
let source: Promise<string> | undefined;
function program(): Promise<string> {
  source ??= readFile(new URL('./relay.cjs', import.meta.url), 'utf8');
  return source;
}

/** What a peer may hold open or waste before its session ends. */
const SESSION_LIMITS = {
  settings: { maxConcurrentStreams: 256, maxHeaderListSize: 16 * 1024, enablePush: false },
  maxHeaderListPairs: 64,
  maxSessionMemory: 128,
  maxSessionInvalidFrames: 16,
  maxOutstandingPings: 8,
  maxSettings: 16,
  streamResetBurst: 1000,
  streamResetRate: 100,
};

class OpenRelay implements Relay {
  readonly closed: Promise<void>;
  #baseUrl: string | undefined;
  readonly #connection: Connection;
  readonly #session: ServerHttp2Session;
  readonly #signal: AbortSignal | undefined;
  readonly #announced = Promise.withResolvers<void>();
  readonly #ended = new AbortController();
  /** The end is said here: a session whose stream went first need not say it. */
  readonly #hangUp = () => {
    this.#ended.abort(new Error('The sandbox went away.'));
    this.#session.destroy();
  };

  constructor(connection: Connection, session: ServerHttp2Session, options: RelayOptions) {
    this.#connection = connection;
    this.#session = session;
    this.#signal = options.signal;
    this.closed = new Promise((resolve) => this.#ended.signal.addEventListener('abort', () => resolve()));
    session.on('close', this.#hangUp);
    session.on('error', this.#hangUp);
    // The driver destroys the stream with an error when the sandbox goes; the session's 'close' says all there is to say.
    connection.stream.on('error', this.#hangUp);
    connection.stream.on('close', this.#hangUp);
    connection.stream.on('end', this.#hangUp);
    const buffered = { bytes: 0, maxBytes: options.maxBufferedBytes ?? 64 * 1024 * 1024 };
    const limits = { maxBodyBytes: options.maxBodyBytes ?? 8 * 1024 * 1024, buffered, ended: this.#ended.signal };
    session.on('stream', (stream, headers) => {
      if (this.#baseUrl === undefined) this.#ready(stream, headers['x-relay-port']);
      else void carryStream(stream, headers, options.forward, limits);
    });
    options.signal?.addEventListener('abort', this.#hangUp, { once: true });
  }

  get baseUrl(): string {
    if (this.#baseUrl === undefined) throw new RelayFailed('The relay has not started.');
    return this.#baseUrl;
  }

  /** Waits for the first request, which states the port. */
  async start(timeoutMs: number): Promise<void> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const late = new Promise<never>((_, reject) => {
      timeout.addEventListener('abort', () => reject(this.#failure(`did not start within ${timeoutMs} ms`)), {
        once: true,
      });
    });
    const ended = this.closed.then(() => {
      this.#signal?.throwIfAborted();
      throw this.#failure('ended before it listened');
    });
    this.#signal?.throwIfAborted();
    await Promise.race([this.#announced.promise, late, ended]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#hangUp);
    this.#hangUp();
    await this.#connection[Symbol.asyncDispose]();
  }

  #ready(stream: ServerHttp2Stream, stated: string | string[] | undefined): void {
    stream.on('error', () => {});
    const port = Number(stated);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      this.#hangUp();
      return;
    }
    this.#baseUrl = `http://127.0.0.1:${port}/v1`;
    stream.respond({ ':status': 204 }, { endStream: true });
    this.#announced.resolve();
  }

  #failure(what: string): RelayFailed {
    const said = this.#connection.stderr().trim();
    const why = said === '' ? 'It wrote nothing to stderr.' : `It wrote: ${said.slice(-2000)}`;
    return new RelayFailed(
      `The relay program in the sandbox ${what}. It needs node 18 or later on the sandbox's PATH. ${why}`,
    );
  }
}
