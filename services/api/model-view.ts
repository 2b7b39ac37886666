import type { Config } from '#services/config.ts';
import { usableEndpoint } from '#services/gateway/endpoint.ts';
import type { ModelView } from './schema.ts';

/** The models of the catalogue, each with what it lacks to be called. Never holds a key. */
export function modelViews({ catalog, endpointOf }: Pick<Config, 'catalog' | 'endpointOf'>): ModelView[] {
  return Object.entries(catalog).map(([name, entry]) => {
    const endpoint = entry.upstream === 'rehearsal' ? null : usableEndpoint(entry, endpointOf(entry));
    const missing = endpoint !== null && 'missing' in endpoint ? endpoint.missing : null;
    return {
      name,
      upstream: entry.upstream,
      model: entry.model,
      ready: missing === null,
      missing,
      inputUsdPerMTok: entry.inputUsdPerMTok,
      outputUsdPerMTok: entry.outputUsdPerMTok,
    };
  });
}
