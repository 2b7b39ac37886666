import type { Archive } from '#archive/archive.ts';
import { BudgetExceeded } from '#archive/errors.ts';
import type { CallRole, Lease } from '#archive/schema.ts';
import { costUusd, type ModelPrice, type Usage, worstCaseUusd } from './prices.ts';

/** A call to a model, as the ledger knows it. */
export interface LedgerCall {
  lease: Lease;
  role: CallRole;
  model: string;
  /** SHA-256 of path and canonical body. */
  requestDigest: string;
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
  #change = Promise.withResolvers<void>();

  constructor(books: Books, clock: () => number) {
    this.#books = books;
    this.#clock = clock;
  }

  /**
   * The reply that an earlier lease of this job got to the same request, the same time around; served for nothing, and
   * noted. Null when there is none.
   * @throws StaleLease
   */
  replay(call: LedgerCall): string | null {
    const { jobId, epoch } = call.lease;
    if (epoch === 1) return null;
    const occurrence = this.#occurrence(call);
    const { requestDigest } = call;
    const found = this.#books.ledger.recorded({ jobId, requestDigest, occurrence, beforeEpoch: epoch });
    if (found === null) return null;
    const text = this.#books.blobs.readText(found.replyBlob);
    this.#books.ledger.replayed({ ...call, occurrence, replyBlob: found.replyBlob, nowMs: this.#clock() });
    return text;
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

  #reserveNow(call: LedgerCall, price: ModelPrice, worst: Usage): OpenCall {
    const nowMs = this.#clock();
    const reservedUusd = worstCaseUusd(price, worst);
    const id = this.#books.ledger.reserve({ ...call, occurrence: this.#occurrence(call), reservedUusd, nowMs });
    const open = new OpenCall(
      { id, price, worst, reservedUusd, startMs: nowMs },
      { books: this.#books, clock: this.#clock, ended: () => this.#forget(open) },
    );
    this.#open.add(open);
    return open;
  }

  #forget(call: OpenCall): void {
    this.#open.delete(call);
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

  /** Equal calls of this lease before this one. Those that came to nothing do not count: the client asked again instead. */
  #occurrence({ lease, requestDigest }: LedgerCall): number {
    return this.#books.ledger
      .calls(lease.jobId)
      .filter((call) => call.epoch === lease.epoch && call.requestDigest === requestDigest)
      .filter((call) => call.state !== 'released' && call.state !== 'ambiguous').length;
  }
}

interface CallFacts {
  id: number;
  price: ModelPrice;
  worst: Usage;
  reservedUusd: number;
  startMs: number;
}

interface CallSurroundings {
  books: Books;
  clock: () => number;
  ended: () => void;
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
      } catch (error) {
        ledger.ambiguous(id, { latencyMs: this.#latencyMs() });
        throw error;
      }
    });
  }

  /** It may have been processed and billed: the reserve is charged. */
  ambiguous(): void {
    this.#end(({ ledger }) => ledger.ambiguous(this.#facts.id, { latencyMs: this.#latencyMs() }));
  }

  /** It surely was not processed: the reserve is given back. */
  release(): void {
    this.#end(({ ledger }) => ledger.release(this.#facts.id));
  }

  #end(write: (books: Books) => void): void {
    if (this.#over) return;
    this.#over = true;
    try {
      write(this.#around.books);
    } finally {
      // Even when the archive cannot be written: then its row stays open, and is put right when the service starts again.
      this.#around.ended();
    }
  }

  #latencyMs(): number {
    return Math.max(0, this.#around.clock() - this.#facts.startMs);
  }
}
