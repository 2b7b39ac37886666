import { z } from 'zod';
import { CatalogEntry } from './models.ts';

/** The part of a catalogue entry that decides what a call costs. */
export const ModelPrice = CatalogEntry.pick({
  inputUsdPerMTok: true,
  cachedInputUsdPerMTok: true,
  cacheWriteUsdPerMTok: true,
  outputUsdPerMTok: true,
  contextTokens: true,
  maxOutputTokens: true,
}).strip();
export type ModelPrice = z.infer<typeof ModelPrice>;

/** What every model cost when the run began. Stored with the run: a later change of the catalogue does not touch it. */
export const PriceTable = z.record(z.string(), ModelPrice);
export type PriceTable = z.infer<typeof PriceTable>;

/** Tokens a provider bills for one call. `cachedInput` is the part of `input` it had cached, `cacheWrite` what it cached now. */
export interface Usage {
  input: number;
  cachedInput: number;
  cacheWrite: number;
  output: number;
}

/** What providers that charge for filling their cache take for it, as a multiple of other input, unless the catalogue says. */
const CACHE_WRITE_FACTOR = 1.25;

/**
 * Tokens that a provider's own framing may add to what was sent: special tokens around messages, the opening of the
 * answer, a default system prompt.
 */
const FRAMING_TOKENS = 1024;

/**
 * The most tokens a call can be billed for. A token stands for at least one byte of text in every tokenizer in use, and
 * the JSON of a message is longer than its text by more than the tokens that frame it; so the bytes of the body, plus an
 * allowance for hidden framing, bound the input. What does not fit the model's context is never processed.
 */
export function worstUsage(price: ModelPrice, bodyBytes: number, maxOutputTokens: number): Usage {
  const input = Math.min(bodyBytes + FRAMING_TOKENS, price.contextTokens);
  return { input, cachedInput: 0, cacheWrite: 0, output: maxOutputTokens };
}

/** What `usage` costs, in micro-dollars, rounded up. */
export function costUusd(price: ModelPrice, usage: Usage): number {
  const cached = Math.min(usage.cachedInput, usage.input);
  const written = Math.min(usage.cacheWrite, usage.input - cached);
  const { inputUsdPerMTok: input, cachedInputUsdPerMTok = input } = price;
  const { cacheWriteUsdPerMTok = input * CACHE_WRITE_FACTOR } = price;
  const total =
    BigInt(usage.input - cached - written) * uusdPerMTok(input) +
    BigInt(cached) * uusdPerMTok(cachedInputUsdPerMTok) +
    BigInt(written) * uusdPerMTok(cacheWriteUsdPerMTok) +
    BigInt(usage.output) * uusdPerMTok(price.outputUsdPerMTok);
  return Number((total + 999_999n) / 1_000_000n);
}

/** The most a call can cost, and so what is reserved for it: all input as new, as cached or to be cached, whichever is dearest. */
export function worstCaseUusd(price: ModelPrice, worst: Usage): number {
  const { input } = worst;
  return Math.max(
    costUusd(price, { ...worst, cachedInput: 0, cacheWrite: 0 }),
    costUusd(price, { ...worst, cachedInput: input, cacheWrite: 0 }),
    costUusd(price, { ...worst, cachedInput: 0, cacheWrite: input }),
  );
}

/** Prices have at most six decimals to speak of; whole micro-dollars keep sums exact. */
function uusdPerMTok(usdPerMTok: number): bigint {
  return BigInt(Math.round(usdPerMTok * 1e6));
}
