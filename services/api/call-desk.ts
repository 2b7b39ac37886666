import { setTimeout as sleep } from 'node:timers/promises';
import { CladeError } from '#services/errors.ts';
import { OpenCall } from './open-call.ts';

/** How long an answer is kept for a worker that may not have got all of it. */
const KEPT_MS = 60_000;
/** What such answers may take up together: those that ended first go first. */
const KEPT_BYTES = 64 * 1024 * 1024;

export interface CallDeskOptions {
  /** How long a call goes on waiting for its turn when its worker's connection broke; default 15,000. */
  patienceMs?: number | undefined;
  /** How long calls under way may take when the service ends; default 5,000. */
  graceMs?: number | undefined;
}

export interface HeardAnswer extends Pick<Response, 'status' | 'headers'> {
  body: ReadableStream<Uint8Array>;
}

/** A call as a worker asks for it. */
export interface AskedCall {
  /** Of the worker's making: the same call asked again has the same answer. */
  id: string;
  /** Bytes of the answer that the worker has already. */
  from: number;
  /** Aborts when the worker's connection ends. */
  listening: AbortSignal;
}

/**
 * Model calls of workers elsewhere. A connection that breaks ends no call: the worker comes back and gets the rest, so that
 * nothing is paid for twice because an answer got lost.
 */
export class CallDesk {
  readonly #options: CallDeskOptions;
  readonly #calls = new Map<string, OpenCall>();
  /** In the order in which they ended. */
  readonly #ended = new Set<string>();
  #endedBytes = 0;

  constructor(options: CallDeskOptions = {}) {
    this.#options = options;
  }

  /**
   * Makes the call, unless it is under way or was answered a short while ago. Null when it is not known (any more) and
   * a part of its answer has been given out: then it cannot be gone on with.
   * @throws what `make` throws; CladeError `shutting-down`.
   */
  async ask(asked: AskedCall, make: (signal: AbortSignal) => Promise<Response>): Promise<HeardAnswer | null> {
    const known = this.#calls.get(asked.id);
    if (known === undefined && asked.from > 0) return null;
    const call = known ?? this.#begin(asked.id, make);
    call.listen(asked.listening);
    const { status, headers } = await call.answer;
    return { status, headers, body: call.read(asked.from) };
  }

  /** Nobody will ask for the answer: what has not left yet need not leave. */
  hangUp(id: string): void {
    this.#calls.get(id)?.hangUp();
  }

  /** Gives what is under way a while to end, then breaks it off: workers ask again when the service is back. */
  async close(): Promise<void> {
    const underWay = [...this.#calls].flatMap(([id, call]) => (this.#ended.has(id) ? [] : [call]));
    const late = new AbortController();
    const patience = sleep(this.#options.graceMs ?? 5_000, undefined, { signal: late.signal }).catch(() => undefined);
    await Promise.race([Promise.allSettled(underWay.map(({ ended }) => ended)), patience]);
    late.abort();
    for (const call of underWay) call.breakOff(new CladeError('shutting-down', 'This service is ending.'));
  }

  #begin(id: string, make: (signal: AbortSignal) => Promise<Response>): OpenCall {
    const call = new OpenCall(make, this.#options.patienceMs ?? 15_000);
    this.#calls.set(id, call);
    call.ended.then(
      () => this.#keep(id, call),
      () => this.#calls.delete(id),
    );
    return call;
  }

  #keep(id: string, { bytes }: OpenCall): void {
    this.#ended.add(id);
    this.#endedBytes += bytes;
    setTimeout(() => this.#forget(id), KEPT_MS).unref();
    for (const oldest of this.#ended) {
      if (this.#endedBytes <= KEPT_BYTES) return;
      this.#forget(oldest);
    }
  }

  #forget(id: string): void {
    if (!this.#ended.delete(id)) return;
    this.#endedBytes -= this.#calls.get(id)?.bytes ?? 0;
    this.#calls.delete(id);
  }
}
