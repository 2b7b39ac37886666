import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import { CladeError } from '#services/errors.ts';
import type { Log } from '#services/log.ts';
import { faultOf } from './redis-fitness.ts';

/** How long the first connection is waited for; later it is made in the background. */
const FIRST_CONNECTION_MS = 5_000;
/** A command that is not answered by then has failed. */
const COMMAND_MS = 5_000;
/** Between two attempts to reach Redis again, at most. */
const MOST_BACKOFF_MS = 2_000;
const PROBE_MS = 500;
/** The same trouble is told again only after this long. */
const TOLD_MS = 60_000;
/** How long Redis may take to say good-bye. */
const CLOSING_MS = 2_000;
/** What is said of a connection that is gone while nothing better is known. */
const DISCONNECTED = 'the connection was closed';

export interface RedisHealth {
  connected: boolean;
  /** For the operator: why doorbells do not get through; null when they do. */
  why: string | null;
}

interface RedisAddress {
  /** `redis://…` or `rediss://…`. */
  url: string;
  /** Written to find out whether Redis takes anything; it expires by itself. */
  probeKey: string;
  log: Log;
}

/**
 * Connects to Redis. One that cannot be reached is looked for from then on, which the log tells.
 * @throws CladeError `invalid-config` when Redis answers and must not be used: it may evict, is too old, or wants a password.
 */
export async function openRedis(address: RedisAddress): Promise<RedisLink> {
  const link = new RedisLink(address);
  try {
    await link.opened();
    return link;
  } catch (error) {
    await link[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * A connection to Redis on which nobody ever waits long: while Redis is away commands fail at once. It is either well, or
 * in trouble (not reached, out of memory, no answer); whoever sees a command fail says so, and from then on it tries by
 * itself until Redis takes a write again.
 */
class RedisLink implements AsyncDisposable {
  /** For commands that do not block. Its `duplicate` makes connections for those that do. */
  readonly client: Redis;
  readonly #address: RedisAddress;
  readonly #name: string;
  readonly #moods = new EventEmitter().setMaxListeners(0);
  readonly #closing = new AbortController();
  #why: string | null = 'not connected yet';
  /** The last trouble the log was told of, and whether it has to hear of its end. */
  #told = { why: '', atMs: Number.NEGATIVE_INFINITY, isOpen: false };

  constructor(address: RedisAddress) {
    this.#address = address;
    this.#name = shownAddress(address.url);
    this.client = new PromptRedis(address.url, promptOptions);
    this.client.on('error', (error) => this.failed(error));
    this.client.on('close', () => this.failed(DISCONNECTED));
  }

  /** Resolves once Redis was found fit, or could not be reached. @throws CladeError, see `openRedis`. */
  async opened(): Promise<void> {
    const trouble = await once(this.client, 'ready', { signal: AbortSignal.timeout(FIRST_CONNECTION_MS) }).then(
      () => faultOf(this.client),
      (error) => refusalOf(error),
    );
    if (trouble !== null) throw new CladeError('invalid-config', `The Redis at ${this.#name} ${trouble}`);
    if (this.client.status === 'ready') this.#why = null;
    else this.#tell(this.#why ?? '');
    if (this.#why !== null) void this.#recover();
  }

  health(): RedisHealth {
    return { connected: this.#why === null, why: this.#why };
  }

  /** To be called with whatever went wrong with a command. */
  failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const tells = message !== DISCONNECTED && !message.includes("Stream isn't writeable");
    if (this.#why !== null) {
      if (tells) this.#why = message;
      return;
    }
    if (this.#closing.signal.aborted) return;
    this.#why = tells ? message : DISCONNECTED;
    this.#tell(this.#why);
    void this.#recover();
  }

  /** Resolves as soon as Redis is well, or the signal aborts. */
  async well(signal: AbortSignal): Promise<void> {
    if (this.#why !== null && !signal.aborted) await once(this.#moods, 'well', { signal }).catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    const { client } = this;
    const ended =
      client.status === 'ready' &&
      once(client, 'end', { signal: AbortSignal.timeout(CLOSING_MS) }).catch(() => undefined);
    client.disconnect();
    await ended;
  }

  async #recover(): Promise<void> {
    const { signal } = this.#closing;
    do {
      await sleep(PROBE_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
    } while (!(await this.#takesWrites()));
    this.#why = null;
    if (this.#told.isOpen) this.#address.log.info({ redis: this.#name }, 'Redis carries doorbells again');
    this.#told.isOpen = false;
    this.#moods.emit('well');
    await this.#warnIfUnfit();
  }

  async #takesWrites(): Promise<boolean> {
    try {
      await this.client.set(this.#address.probeKey, '', 'PX', 1_000);
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  /** It was fit once; another one in its place is used all the same, since lost doorbells are rung again. */
  async #warnIfUnfit(): Promise<void> {
    const fault = await faultOf(this.client).catch(() => null);
    if (fault !== null) this.#address.log.error({ redis: this.#name }, `the Redis that came back ${fault}`);
  }

  #tell(why: string): void {
    const nowMs = performance.now();
    if (this.#told.why === why && nowMs - this.#told.atMs < TOLD_MS) return;
    this.#told = { why, atMs: nowMs, isOpen: true };
    const message = 'Redis carries no doorbells; workers ask control instead, which is slower';
    this.#address.log.warn({ redis: this.#name, why }, message);
  }
}

export type { RedisLink };

const promptOptions = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: COMMAND_MS,
  connectTimeout: COMMAND_MS,
  // For a peer that vanished without closing: longer than a command, so that only silence ends the connection.
  socketTimeout: 2 * COMMAND_MS,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** Math.min(attempt, 10), MOST_BACKOFF_MS),
  // A replica that was promoted elsewhere: the name may lead to another one now.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions;

/** Commands fail soon; those of its duplicates, which block, wait until Redis is back, as BullMQ wants it. */
class PromptRedis extends Redis {
  override duplicate(override?: Partial<RedisOptions>): Redis {
    const { commandTimeout: _1, socketTimeout: _2, ...options } = this.options;
    const patient = { enableOfflineQueue: true, maxRetriesPerRequest: null, autoResendUnfulfilledCommands: true };
    return new Redis({ ...options, ...patient, ...override });
  }
}

/** What the operator has to mend when Redis answers and lets nobody in; null for a Redis that is merely away. */
function refusalOf(error: unknown): string | null {
  const message = error instanceof Error ? error.message : String(error);
  if (!/^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/.test(message)) return null;
  return `lets nobody in: ${message}. Put user and password into its address: redis://user:password@host:port.`;
}

/** Without the password. @throws CladeError when it is no address of a Redis. */
function shownAddress(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !['redis:', 'rediss:'].includes(parsed.protocol))
    throw new CladeError('invalid-config', 'The address of Redis must look like redis://host:6379 or rediss://….');
  return `${parsed.protocol}//${parsed.host}${parsed.pathname}`;
}
