import type { Config } from '#services/config.ts';
import type { ModelView } from './schema.ts';

/** The models of the catalogue, each with what it lacks to be called. Never holds a key. */
export function modelViews({ catalog, endpointOf }: Pick<Config, 'catalog' | 'endpointOf'>): ModelView[] {
  return Object.entries(catalog).map(([name, entry]) => {
    const { baseUrl, apiKey } = endpointOf(entry);
    // An endpoint of one's own may need no key; the provider's own does.
    const ready = entry.upstream === 'rehearsal' || apiKey !== null || baseUrl !== null;
    return {
      name,
      upstream: entry.upstream,
      model: entry.model,
      ready,
      missing: ready ? null : `set ${entry.apiKeyEnv} (or ${entry.baseUrlEnv} for an endpoint that needs no key)`,
      inputUsdPerMTok: entry.inputUsdPerMTok,
      outputUsdPerMTok: entry.outputUsdPerMTok,
    };
  });
}
