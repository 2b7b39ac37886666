import type { CatalogEntry } from './models.ts';

/** Where the models of OpenAI itself are; the default of `OPENAI_BASE_URL` alone, so that no other provider's key goes there. */
const OPENAI = { variable: 'OPENAI_BASE_URL', url: 'https://api.openai.com/v1' };

/** What the operator set for a model: base URL (with `/v1`) and key; null: not set. */
export interface Endpoint {
  baseUrl: string | null;
  apiKey: string | null;
}

/** Looks up what a catalogue entry says or names. */
export type EndpointOf = (entry: Pick<CatalogEntry, 'baseUrl' | 'baseUrlEnv' | 'apiKeyEnv'>) => Endpoint;

type Named = Pick<CatalogEntry, 'baseUrl' | 'baseUrlEnv' | 'apiKeyEnv'>;

/** A model's endpoint as it is called, or what to set before it can be. An endpoint of one's own may need no key. */
export function usableEndpoint(
  entry: Named,
  { baseUrl, apiKey }: Endpoint,
): { baseUrl: string; apiKey: string } | { missing: string } {
  const url = baseUrl ?? (entry.baseUrlEnv === OPENAI.variable ? OPENAI.url : null);
  if (url === null) return { missing: `set ${entry.baseUrlEnv} to the base URL of its provider` };
  const wrong = wrongUrl(url);
  if (wrong !== null) {
    const where = entry.baseUrl === undefined ? entry.baseUrlEnv : 'baseUrl';
    return { missing: `set ${where} to a base URL such as ${OPENAI.url}: ${wrong}` };
  }
  if (apiKey === null && baseUrl === null)
    return { missing: `set ${entry.apiKeyEnv} (or ${entry.baseUrlEnv} for an endpoint that needs no key)` };
  return { baseUrl: url, apiKey: apiKey ?? 'none' };
}

/** Never repeats the URL, which may hold a password. */
function wrongUrl(text: string): string | null {
  const url = URL.parse(text);
  if (url === null) return 'it is no URL now';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'it begins with neither http:// nor https:// now';
  return url.username === '' && url.password === '' ? null : 'it holds credentials now, which belong into the key';
}
