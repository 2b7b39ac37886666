import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModelCatalog } from '#services/gateway/models.ts';
import { costUusd, type ModelPrice, PriceTable, worstCaseUusd, worstUsage } from '#services/gateway/prices.ts';

const price = (more: Partial<ModelPrice> = {}): ModelPrice => ({
  inputUsdPerMTok: 3,
  outputUsdPerMTok: 15,
  contextTokens: 200_000,
  maxOutputTokens: 8000,
  ...more,
});

describe('the cost of a call', () => {
  it.each([
    ['input and output', price(), { input: 1000, cachedInput: 0, cacheWrite: 0, output: 100 }, 1000 * 3 + 100 * 15],
    [
      'cached input at its own price',
      price({ cachedInputUsdPerMTok: 0.3 }),
      { input: 1000, cachedInput: 900, cacheWrite: 0, output: 0 },
      100 * 3 + 900 * 0.3,
    ],
    [
      'cached input like other input, where it has no price',
      price(),
      { input: 1000, cachedInput: 900, cacheWrite: 0, output: 0 },
      3000,
    ],
    [
      'input put into the cache at its own price',
      price({ cachedInputUsdPerMTok: 0.3, cacheWriteUsdPerMTok: 6 }),
      { input: 1000, cachedInput: 500, cacheWrite: 400, output: 0 },
      100 * 3 + 500 * 0.3 + 400 * 6,
    ],
    [
      'input put into the cache a quarter dearer, where it has no price',
      price(),
      { input: 1000, cachedInput: 0, cacheWrite: 1000, output: 0 },
      3750,
    ],
    [
      'a part of a micro-dollar as a whole one',
      price({ inputUsdPerMTok: 0.05 }),
      { input: 1, cachedInput: 0, cacheWrite: 0, output: 0 },
      1,
    ],
    [
      'prices of many decimals exactly',
      price({ inputUsdPerMTok: 0.28 }),
      { input: 1_000_000, cachedInput: 0, cacheWrite: 0, output: 0 },
      280_000,
    ],
    [
      'nothing for a free model',
      price({ inputUsdPerMTok: 0, outputUsdPerMTok: 0 }),
      { input: 9, cachedInput: 0, cacheWrite: 0, output: 9 },
      0,
    ],
  ])('counts %s', (_what, prices, usage, uusd) => {
    expect(costUusd(prices, usage)).toBe(uusd);
  });

  it('is a whole number and never above what was reserved for it', () => {
    const usd = fc.double({ min: 0, max: 1000, noNaN: true });
    const scene = fc.record({
      prices: fc.record({
        inputUsdPerMTok: usd,
        cachedInputUsdPerMTok: fc.option(usd, { nil: undefined }),
        cacheWriteUsdPerMTok: fc.option(usd, { nil: undefined }),
        outputUsdPerMTok: usd,
        contextTokens: fc.integer({ min: 1, max: 10_000_000 }),
        maxOutputTokens: fc.constant(1),
      }),
      bodyBytes: fc.nat(10_000_000),
      maxOutput: fc.integer({ min: 1, max: 1_000_000 }),
      parts: fc.tuple(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
      ),
    });
    fc.assert(
      fc.property(scene, ({ prices, bodyBytes, maxOutput, parts: [a, b, c, d] }) => {
        const worst = worstUsage(prices, bodyBytes, maxOutput);
        const input = Math.floor(worst.input * a);
        const cachedInput = Math.floor(input * b);
        const cacheWrite = Math.floor((input - cachedInput) * d);
        const cost = costUusd(prices, { input, cachedInput, cacheWrite, output: Math.floor(maxOutput * c) });
        expect(Number.isSafeInteger(cost)).toBe(true);
        expect(cost).toBeLessThanOrEqual(worstCaseUusd(prices, worst));
      }),
      { seed: 1 },
    );
  });
});

describe('the most tokens of a call', () => {
  it('are the bytes of its body and an allowance, but no more than the context holds', () => {
    expect(worstUsage(price(), 5000, 100)).toEqual({ input: 6024, cachedInput: 0, cacheWrite: 0, output: 100 });
    expect(worstUsage(price(), 5_000_000, 100).input).toBe(200_000);
  });
});

describe('the price table of a run', () => {
  it('can be read from the catalogue entries that were stored with it', () => {
    const table = PriceTable.parse(JSON.parse(JSON.stringify(ModelCatalog.parse({}))));
    expect(table.rehearsal).toEqual({
      inputUsdPerMTok: 0.1,
      cachedInputUsdPerMTok: 0.01,
      outputUsdPerMTok: 0.4,
      contextTokens: 128_000,
      maxOutputTokens: 16_384,
    });
  });
});

describe('the catalogue', () => {
  const entry = { model: 'm', inputUsdPerMTok: 1, outputUsdPerMTok: 2, contextTokens: 1000, maxOutputTokens: 100 };

  it('always holds the rehearsal, and finds other models in the usual variables', () => {
    const catalog = ModelCatalog.parse({ mine: entry });
    expect(Object.keys(catalog)).toEqual(['rehearsal', 'mine']);
    expect(catalog.mine).toMatchObject({
      upstream: 'openai',
      baseUrlEnv: 'OPENAI_BASE_URL',
      apiKeyEnv: 'OPENAI_API_KEY',
    });
  });

  it.each([
    ['a name that a URL could not hold', { 'a b': entry }],
    ['a negative price', { mine: { ...entry, inputUsdPerMTok: -1 } }],
    ['a misspelt field', { mine: { ...entry, outputUsdPerMtok: 2 } }],
    ['another model under the name of the rehearsal', { rehearsal: entry }],
  ])('refuses %s', (_what, catalog) => {
    expect(ModelCatalog.safeParse(catalog).success).toBe(false);
  });
});
