import { Bucket } from './bucket.js';

/** Limits requests a client. */
export class Limiter {
  #options;
  #buckets = new Map();

  constructor(options) {
    this.#options = options;
  }

  /** Whether a request may go on, and if not, after how many seconds to try again. */
  check(client, nowMs) {
    const bucket = this.#bucketOf(client, nowMs);
    if (bucket.take(1, nowMs)) return { allowed: true };
    return { allowed: false, retryAfterSeconds: Math.floor(bucket.waitMs(1, nowMs) / 1000) };
  }

  get clients() {
    return this.#buckets.size;
  }

  #bucketOf(client, nowMs) {
    const known = this.#buckets.get(client);
    if (known) return known;
    const bucket = new Bucket({ ...this.#options, nowMs });
    this.#buckets.set(client, bucket);
    return bucket;
  }
}
