import type { Draw } from '#archive/schema.ts';

/**
 * 64 bits over every candidate's evidence and draw, bit for bit and in order, as 16 hex digits. Of ids, which differ in
 * their numbers alone and come in order, the end is taken. Safe against accident and not against intent: two lanes of MurmurHash3 x86_32 (Appleby) with different seeds.
 */
export function drawsDigest(draws: readonly Draw[]): string {
  const hash = new Hash();
  let names: string[] = [];
  for (const { agentId, evidence, value } of draws) {
    hash.addNumber(piece(agentId, agentId.length - 3));
    let place = 0;
    for (const name in evidence) {
      // Candidates of a policy have the same evidence by name, so names are added where they differ from the ones before.
      if (names[place] !== name) {
        names = names.slice(0, place).concat(name);
        hash.addText(name);
      }
      hash.addNumber(evidence[name] ?? Number.NaN);
      place += 1;
    }
    hash.addNumber(value);
  }
  return hash.finish();
}

/** Collects words and hashes them by the block, in integers that are never boxed: a decision has tens of thousands. */
class Hash {
  readonly #numbers = new Float64Array(512);
  readonly #words = new Int32Array(this.#numbers.buffer);
  #used = 0;
  #length = 0;
  #a = 0x1747b28c;
  #b = 0x1b873593;

  addNumber(value: number): void {
    if (this.#used === this.#numbers.length) this.#mix();
    this.#numbers[this.#used] = value;
    this.#used += 1;
  }

  /** Texts in pieces of three characters, each a whole number below 2^48; the length goes first. */
  addText(text: string): void {
    this.addNumber(text.length);
    for (let i = 0; i < text.length; i += 3) this.addNumber(piece(text, i));
  }

  finish(): string {
    this.#mix();
    return hex(finished(this.#a ^ this.#length)) + hex(finished(this.#b ^ this.#length));
  }

  #mix(): void {
    const words = this.#words;
    const count = 2 * this.#used;
    let [a, b] = [this.#a, this.#b];
    for (let i = 0; i < count; i += 1) {
      const scrambled = Math.imul(rotated(Math.imul(words[i]!, 0xcc9e2d51), 15), 0x1b873593);
      a = (Math.imul(rotated(a ^ scrambled, 13), 5) + 0xe6546b64) | 0;
      b = (Math.imul(rotated(b ^ scrambled ^ 0x5bd1e995, 13), 5) + 0xe6546b64) | 0;
    }
    [this.#a, this.#b] = [a, b];
    this.#length = (this.#length + count) | 0;
    this.#used = 0;
  }
}

function piece(text: string, at: number): number {
  let sum = 0;
  for (let i = at; i < at + 3; i += 1) sum = sum * 65_536 + (i < text.length ? text.charCodeAt(i) : 0);
  return sum;
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function finished(lane: number): number {
  let word = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return (word ^ (word >>> 16)) >>> 0;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}
