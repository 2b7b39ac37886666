import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '#services/config.ts';

const TOKEN = 'a-token-of-24-characters';

describe('a secret given as a file', () => {
  it('counts as if it stood in the variable, without the line end', () => {
    using folder = temporary();
    const CLADE_ADMIN_TOKEN_FILE = folder.file('admin-token', `${TOKEN}\n`);
    expect(readConfig({ CLADE_ADMIN_TOKEN_FILE }).tokens.admin).toBe(TOKEN);
  });

  it('is not set when the file is empty', () => {
    using folder = temporary();
    expect(readConfig({ CLADE_VIEWER_TOKEN_FILE: folder.file('viewer-token', '\n') }).tokens.viewer).toBeUndefined();
  });

  it('must be as long as one in a variable', () => {
    using folder = temporary();
    expect(() => readConfig({ CLADE_ADMIN_TOKEN_FILE: folder.file('admin-token', 'short') })).toThrow(
      /CLADE_ADMIN_TOKEN: .*16 characters/,
    );
  });

  it('may be the key of any model, under the name that its entry gives', () => {
    using folder = temporary();
    const prices = { inputUsdPerMTok: 1, outputUsdPerMTok: 1, contextTokens: 1000, maxOutputTokens: 100 };
    const model = { model: 'm', apiKeyEnv: 'MY_KEY', baseUrl: 'https://models.example/v1', ...prices };
    const CLADE_MODELS = folder.file('models.json', JSON.stringify({ mine: model }));
    const { endpointOf, catalog } = readConfig({ CLADE_MODELS, MY_KEY_FILE: folder.file('key', 'sk-1\n') });
    expect(endpointOf(catalog.mine!).apiKey).toBe('sk-1');
  });

  it('is refused when it is given both ways', () => {
    using folder = temporary();
    const env = { CLADE_ADMIN_TOKEN: TOKEN, CLADE_ADMIN_TOKEN_FILE: folder.file('admin-token', TOKEN) };
    expect(() => readConfig(env)).toThrow(/CLADE_ADMIN_TOKEN and CLADE_ADMIN_TOKEN_FILE are both set/);
  });

  it('says which file is missing, and what a directory in its place means', () => {
    using folder = temporary();
    const missing = join(folder.path, 'none');
    expect(() => readConfig({ CLADE_WORKER_TOKEN_FILE: missing })).toThrow(`${missing} cannot be read (ENOENT)`);
    mkdirSync(missing);
    expect(() => readConfig({ CLADE_WORKER_TOKEN_FILE: missing })).toThrow(/EISDIR.*Docker/);
  });

  it.skipIf(process.getuid?.() === 0)('says so when it may not be read', () => {
    using folder = temporary();
    const file = folder.file('admin-token', TOKEN);
    chmodSync(file, 0);
    expect(() => readConfig({ CLADE_ADMIN_TOKEN_FILE: file })).toThrow(/EACCES.*must be allowed to read it/);
  });
});

function temporary() {
  const path = mkdtempSync(join(tmpdir(), 'clade-test-secrets-'));
  const file = (name: string, text: string) => {
    writeFileSync(join(path, name), text);
    return join(path, name);
  };
  return { path, file, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
