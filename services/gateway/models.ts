import { z } from 'zod';

/** A price in US dollars for a million tokens, as providers state it. */
const UsdPerMTok = z.number().nonnegative().max(10_000);

/** One model that runs may name: where it is, what it costs, how much it takes and gives. */
export const CatalogEntry = z.strictObject({
  upstream: z
    .enum(['openai', 'rehearsal'])
    .default('openai')
    .describe('openai: any endpoint that speaks the OpenAI API.'),
  model: z.string().min(1).describe("The model's id at the provider."),
  baseUrl: z.string().min(1).optional().describe('Base URL, /v1 included. Default: what the variable below holds.'),
  baseUrlEnv: z
    .string()
    .min(1)
    .default('OPENAI_BASE_URL')
    .describe('Environment variable with the base URL, /v1 included.'),
  apiKeyEnv: z.string().min(1).default('OPENAI_API_KEY').describe('Environment variable with the key.'),
  inputUsdPerMTok: UsdPerMTok,
  cachedInputUsdPerMTok: UsdPerMTok.optional().describe('Default: the price of other input.'),
  cacheWriteUsdPerMTok: UsdPerMTok.optional().describe(
    'Of input that the provider says it put into its cache. Default: 1.25 times the price of other input.',
  ),
  outputUsdPerMTok: UsdPerMTok.describe('Reasoning tokens count as output.'),
  contextTokens: z.int().positive().max(100_000_000),
  maxOutputTokens: z
    .int()
    .positive()
    .max(10_000_000)
    .describe('What a request may ask for at most, and gets by default.'),
  maxTokensField: z
    .enum(['max_completion_tokens', 'max_tokens'])
    .default('max_completion_tokens')
    .describe('How this endpoint wants the output limit of chat completions named; older ones know only max_tokens.'),
  params: z
    .strictObject({
      chat: z.record(z.string(), z.json()).default({}),
      responses: z.record(z.string(), z.json()).default({}),
    })
    .prefault({})
    .describe('Fields added to every body of chat completions (such as reasoning_effort) or of responses (reasoning).'),
});
export type CatalogEntry = z.infer<typeof CatalogEntry>;

/** The scripted model. Its price is made up, so that spending and budgets show without a provider. */
export const REHEARSAL: CatalogEntry = CatalogEntry.parse({
  upstream: 'rehearsal',
  model: 'rehearsal',
  inputUsdPerMTok: 0.1,
  cachedInputUsdPerMTok: 0.01,
  outputUsdPerMTok: 0.4,
  contextTokens: 128_000,
  maxOutputTokens: 16_384,
});

/** The models by the names that runs know them by. Always holds `rehearsal`, and only there is nothing behind it. */
export const ModelCatalog = z
  .record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$/, 'letters, digits and . _ : / -'), CatalogEntry)
  .transform((entries): Record<string, CatalogEntry> => ({ rehearsal: REHEARSAL, ...entries }))
  .refine((entries) => entries.rehearsal?.upstream === 'rehearsal', {
    message: 'The name rehearsal belongs to the scripted model; give your model another one.',
  });
export type ModelCatalog = z.infer<typeof ModelCatalog>;
