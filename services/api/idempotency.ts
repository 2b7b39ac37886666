import { createHash } from 'node:crypto';
import type { Archive } from '#archive/archive.ts';
import type { Run, RunSpec } from '#archive/schema.ts';
import { CladeError } from '#services/errors.ts';
import type { ApiDeps } from './deps.ts';

export interface Keyed {
  run: Run;
  /** True when the key had been used before, and nothing was created now. */
  replayed: boolean;
}

/**
 * Creates at most one run per `Idempotency-Key`. A key is stored with its run, in one transaction, so that a creation that
 * fails leaves it free. Requests with the same key are served one after the other.
 */
export class IdempotencyKeys {
  readonly #runs: Archive['runs'];
  readonly #createRun: ApiDeps['createRun'];
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(runs: Archive['runs'], createRun: ApiDeps['createRun']) {
    this.#runs = runs;
    this.#createRun = createRun;
  }

  /** @throws CladeError `idempotency-conflict` when the key was used with another spec. */
  async createRun(key: string, spec: RunSpec): Promise<Keyed> {
    const before = this.#underWay.get(key) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => this.#once(key, spec));
    this.#underWay.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#underWay.get(key) === mine) this.#underWay.delete(key);
    }
  }

  async #once(key: string, spec: RunSpec): Promise<Keyed> {
    const digests = { keyDigest: digest(key), specDigest: digest(JSON.stringify(spec)) };
    const earlier = this.#runs.begunBy(digests.keyDigest);
    if (earlier === null) return { run: await this.#createRun(spec, digests), replayed: false };
    if (earlier.specDigest === digests.specDigest) return { run: earlier.run, replayed: true };
    throw new CladeError(
      'idempotency-conflict',
      `The Idempotency-Key ${JSON.stringify(key)} was used for another run. Use a new one.`,
    );
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
