import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Sandbox } from '#sandbox/sandbox.ts';
import { packTar } from '#sandbox/tar.ts';

const DIRECTORY = fileURLToPath(new URL('../../node_modules/openai', import.meta.url));

/** Puts the `openai` package where modules in the sandbox's workspace find it. */
export async function putOpenAiPackage(sandbox: Sandbox): Promise<void> {
  const names = await readdir(DIRECTORY, { recursive: true });
  // The modules, and the one plain script that they share with the package's other form.
  const needed = names.filter(
    (name) => !name.startsWith('src/') && /\.mjs$|^package\.json$|^internal\/auth\/[^.]*\.js$/.test(name),
  );
  const files = needed.map(async (path) => ({ path, bytes: await readFile(join(DIRECTORY, path)), executable: false }));
  await sandbox.put('/workspace/node_modules/openai', packTar(await Promise.all(files)));
}
