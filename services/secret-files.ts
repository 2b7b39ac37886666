import { readFileSync } from 'node:fs';
import { CladeError } from './errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The environment with those of the named secrets filled in that are given as files: `CLADE_ADMIN_TOKEN_FILE=/run/secrets/x`
 * sets `CLADE_ADMIN_TOKEN` to what is in the file, without white space around it. An empty file sets nothing.
 * @throws CladeError `invalid-config` when a file cannot be read, or a secret is given both ways.
 */
export function withSecretFiles(env: Environment, names: Iterable<string>): Environment {
  const found = [...new Set(names)].flatMap((name) => {
    const file = env[`${name}_FILE`];
    return file ? [[name, secretIn(file, name, env)]] : [];
  });
  return { ...env, ...Object.fromEntries(found) };
}

function secretIn(file: string, name: string, env: Environment): string {
  if (env[name])
    throw new CladeError('invalid-config', `${name} and ${name}_FILE are both set. Keep the one that you mean.`);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new CladeError(
      'invalid-config',
      `${name}_FILE: ${file} cannot be read (${code})${remedies[code] ?? ''}. Correct it and start again.`,
      { cause },
    );
  }
}

const remedies: Readonly<Record<string, string>> = {
  EACCES: ': the user that Clade runs as must be allowed to read it',
  // What Docker puts where a file was to be mounted and is missing.
  EISDIR: ': it is a directory. Under Docker that means that the file was missing when the container was made',
  ENOENT: ': there is no such file',
};
