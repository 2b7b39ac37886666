import { z } from 'zod';

// Shapes that both kinds of request share.
export const ReasoningEffort = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']);
export const Verbosity = z.enum(['low', 'medium', 'high']);
export const ToolChoiceMode = z.enum(['none', 'auto', 'required']);

/** Fields that are taken and go no further: they ask for storage, or choose a price that the ledger does not know of. */
const Dropped = {
  store: z.boolean().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  safety_identifier: z.string().nullish(),
  service_tier: z.enum(['auto', 'default'], 'only the usual service tier is carried').nullish(),
};
/** The names of those fields. */
export const droppedFields: readonly string[] = Object.keys(Dropped);

export const Sampling = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  ...Dropped,
  user: z.string().max(512).nullish(),
  prompt_cache_key: z.string().max(512).nullish(),
};

/** The type of a content part. Images, files and audio are refused: their price is not known from their bytes. */
export function textOnly<const T extends string>(type: T) {
  return z.literal(type, { error: `only text is carried, in parts of type ${type}` });
}
