import type { Archive } from '#archive/archive.ts';
import { BudgetExceeded } from '#archive/errors.ts';
import type { Call, CallRole, Lease } from '#archive/schema.ts';
import { costUusd, type ModelPrice, type Usage, worstCaseUusd } from './prices.ts';

/** A call to a model, as the ledger knows it. */
export interface LedgerCall {
  lease: Lease;
  role: CallRole;
  model: string;
  /** SHA-256 of path and likeness of the body: the same for requests that are the same question. */
  requestDigest: string;
  /** Aborts when whoever asks is gone. */
  client: AbortSignal;
  /** What a worker calls it that may have to ask again. */
  name?: string | null;
}

/** A reply that was read to its end. `usage` is null when the provider did not say. */
export interface Reply {
  /** What the client gets, and gets again should the job be done again. */
  text: string;
  usage: Usage | null;
}

type Books = Pick<Archive, 'ledger' | 'blobs'>;

/** Keeps the money straight: nothing leaves without a reserve, and every reserve comes to an end. */
export class CallLedger {
  readonly #books: Books;
  readonly #clock: () => number;
  readonly #open = new Set<OpenCall>();
  readonly #unheard = new UnheardReplies();
  #change = Promise.withResolvers<void>();

  constructor(books: Books, clock: () => number) {
    this.#books = books;
    this.#clock = clock;
  }

  /**
   * The reply to the same question that this job has paid for and not yet had in this lease: an earlier lease's, in the order
   * in which they were paid, or one of this lease whose client was gone before it came, or asks for it again. Where such a reply is still on its
   * way, waits for it. Served for nothing, and noted. Null when there is none.
   * @throws StaleLease; the signal's reason when aborted.
   */
  async replay(call: LedgerCall, signal: AbortSignal): Promise<string | null> {
    for (;;) {
      signal.throwIfAborted();
      const text = this.#serve(call);
      if (text !== null) return text;
      if (![...this.#open].some((open) => open.paysFor(call))) return null;
      await this.#nextChange(signal);
    }
  }

  /**
   * Holds the most the call can cost. While the budget is only taken up by the reserves of other calls, waits for one of
   * them to end: most cost far less than their reserve.
   * @throws BudgetExceeded, StaleLease; the signal's reason when aborted.
   */
  async reserve(call: LedgerCall, price: ModelPrice, worst: Usage, signal: AbortSignal): Promise<OpenCall> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return this.#reserveNow(call, price, worst);
      } catch (error) {
        if (!(error instanceof BudgetExceeded) || error.final || this.#open.size === 0) throw error;
      }
      await this.#nextChange(signal);
    }
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await this.#change.promise;
  }

  #serve(call: LedgerCall): string | null {
    const { jobId, epoch } = call.lease;
    const { ledger, blobs } = this.#books;
    const lost = call.name ? ledger.answered(call) : null;
    if (lost !== null) return blobs.readText(lost);
    const before = this.#alike(call);
    const nth = before.filter(({ replayed }) => replayed).length;
    const earlier = ledger.recorded({ jobId, requestDigest: call.requestDigest, nth, beforeEpoch: epoch });
    const replyBlob = earlier?.replyBlob ?? this.#unheard.take(call);
    if (replyBlob === null) return null;
    const text = blobs.readText(replyBlob);
    ledger.replayed({ ...call, occurrence: before.length, replyBlob, nowMs: this.#clock() });
    return text;
  }

  #reserveNow(call: LedgerCall, price: ModelPrice, worst: Usage): OpenCall {
    const nowMs = this.#clock();
    const reservedUusd = worstCaseUusd(price, worst);
    const occurrence = this.#alike(call).length;
    const id = this.#books.ledger.reserve({ ...call, occurrence, reservedUusd, nowMs });
    const open = new OpenCall(
      { id, call, price, worst, reservedUusd, startMs: nowMs },
      { books: this.#books, clock: this.#clock, ended: (replyBlob) => this.#forget(open, call, replyBlob) },
    );
    this.#open.add(open);
    return open;
  }

  #forget(open: OpenCall, call: LedgerCall, replyBlob: string | null): void {
    this.#open.delete(open);
    if (replyBlob !== null && call.client.aborted) this.#unheard.keep(call, replyBlob);
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  async #nextChange(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    await Promise.race([this.#change.promise, aborted.promise]);
    signal.removeEventListener('abort', onAbort);
  }

  /** Calls of this lease so far that ask the same. Those that came to nothing do not count: the client asked again instead. */
  #alike({ lease, requestDigest }: LedgerCall): Call[] {
    return this.#books.ledger
      .calls(lease.jobId)
      .filter((call) => call.epoch === lease.epoch && call.requestDigest === requestDigest)
      .filter((call) => call.state !== 'released' && call.state !== 'ambiguous');
  }
}

/** Most of what nobody heard is never asked for again. */
const MOST_UNHEARD = 10_000;

/** Digests of replies that were paid for when nobody was there any more to take them. */
class UnheardReplies {
  readonly #replies = new Map<string, string[]>();

  keep(call: LedgerCall, replyBlob: string): void {
    const key = keyOf(call);
    this.#replies.set(key, [...(this.#replies.get(key) ?? []), replyBlob]);
    const [oldest] = this.#replies.keys();
    if (this.#replies.size > MOST_UNHEARD && oldest !== undefined) this.#replies.delete(oldest);
  }

  take(call: LedgerCall): string | null {
    const key = keyOf(call);
    const [first, ...rest] = this.#replies.get(key) ?? [];
    if (rest.length === 0) this.#replies.delete(key);
    else this.#replies.set(key, rest);
    return first ?? null;
  }
}

function keyOf({ lease, requestDigest }: LedgerCall): string {
  return `${lease.jobId} ${lease.epoch} ${requestDigest}`;
}

interface CallFacts {
  id: number;
  call: LedgerCall;
  price: ModelPrice;
  worst: Usage;
  reservedUusd: number;
  startMs: number;
}

interface CallSurroundings {
  books: Books;
  clock: () => number;
  /** With the digest of the reply, if one was paid and kept. */
  ended: (replyBlob: string | null) => void;
}

/** A call whose worst price is held. The first of `settle`, `ambiguous` and `release` ends it. */
export class OpenCall {
  readonly #facts: CallFacts;
  readonly #around: CallSurroundings;
  #over = false;

  constructor(facts: CallFacts, around: CallSurroundings) {
    this.#facts = facts;
    this.#around = around;
  }

  /** Whether its reply, once there, is for this request: the same of the same job, whose asker of then is gone. */
  paysFor({ lease, requestDigest }: LedgerCall): boolean {
    const { call } = this.#facts;
    const isSame = call.lease.jobId === lease.jobId && call.requestDigest === requestDigest;
    return isSame && (call.lease.epoch < lease.epoch || (call.lease.epoch === lease.epoch && call.client.aborted));
  }

  /** To be called before the first byte leaves. */
  sent(): void {
    this.#around.books.ledger.sent(this.#facts.id);
  }

  /**
   * The reply came. Without a stated usage the worst is taken for it.
   * @throws what the archive throws when it cannot be written; the call is then charged in full if even that can be.
   */
  settle({ text, usage }: Reply): void {
    const { id, price, worst, reservedUusd } = this.#facts;
    const spentUusd = usage === null ? reservedUusd : costUusd(price, usage);
    const { input, output } = usage ?? worst;
    this.#end(({ ledger, blobs }) => {
      try {
        const replyBlob = blobs.write(text);
        ledger.settle(id, {
          spentUusd,
          inputTokens: input,
          outputTokens: output,
          latencyMs: this.#latencyMs(),
          replyBlob,
        });
        return replyBlob;
      } catch (error) {
        ledger.ambiguous(id, { latencyMs: this.#latencyMs() });
        throw error;
      }
    });
  }

  /** It may have been processed and billed: the reserve is charged. */
  ambiguous(): void {
    this.#end(({ ledger }) => {
      ledger.ambiguous(this.#facts.id, { latencyMs: this.#latencyMs() });
      return null;
    });
  }

  /** It surely was not processed: the reserve is given back. */
  release(): void {
    this.#end(({ ledger }) => {
      ledger.release(this.#facts.id);
      return null;
    });
  }

  #end(write: (books: Books) => string | null): void {
    if (this.#over) return;
    this.#over = true;
    let replyBlob: string | null = null;
    try {
      replyBlob = write(this.#around.books);
    } finally {
      // Even when the archive cannot be written: then its row stays open, and is put right when the service starts again.
      this.#around.ended(replyBlob);
    }
  }

  #latencyMs(): number {
    return Math.max(0, this.#around.clock() - this.#facts.startMs);
  }
}
