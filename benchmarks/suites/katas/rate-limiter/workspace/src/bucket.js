/** A token bucket: holds at most `capacity` tokens and gains `perSecond` of them every second. */
export class Bucket {
  #capacity;
  #perSecond;
  #tokens;
  #filledMs;

  constructor({ capacity, perSecond, nowMs }) {
    this.#capacity = capacity;
    this.#perSecond = perSecond;
    this.#tokens = capacity;
    this.#filledMs = nowMs;
  }

  /** Takes tokens if there are enough. */
  take(count, nowMs) {
    this.#fill(nowMs);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Milliseconds until `count` tokens are there; 0 when they are. */
  waitMs(count, nowMs) {
    this.#fill(nowMs);
    const missing = count - this.#tokens;
    return missing <= 0 ? 0 : Math.floor((missing / this.#perSecond) * 1000);
  }

  get isFull() {
    return this.#tokens >= this.#capacity;
  }

  #fill(nowMs) {
    const seconds = (nowMs - this.#filledMs) / 1000;
    const gained = Math.floor(seconds * this.#perSecond);
    this.#tokens = Math.min(this.#capacity, this.#tokens + gained);
    this.#filledMs = nowMs;
  }
}
