import { type SimpleGitOptions, simpleGit } from 'simple-git';
import { ArchiveUnwritable, diskFullOr } from './errors.ts';

/** What a git command is given besides its arguments. */
export interface GitInput {
  env?: Record<string, string>;
  stdin?: string;
  signal?: AbortSignal;
}

/** git ran and refused. `message` is what it said on stderr. */
export class GitRefused extends Error {
  override name = 'GitRefused';
}

/**
 * The only door to git: runs one command in `directory` and returns its stdout as it is. Nothing of this machine's
 * configuration is read, no hook, filter, pager, editor or remote can be reached, and what it writes is synced to disk.
 *
 * @throws GitRefused, DiskFull, ArchiveUnwritable when git itself is missing
 */
export async function git(
  directory: string,
  args: string[],
  { env = {}, stdin, signal }: GitInput = {},
): Promise<string> {
  const options: Partial<SimpleGitOptions> = { ...hardened, baseDir: directory, trimmed: false };
  if (stdin !== undefined) options.input = () => stdin;
  if (signal) options.abort = signal;
  try {
    return await simpleGit(options)
      .env({ ...environment, ...env })
      .raw(args);
  } catch (error) {
    signal?.throwIfAborted();
    throw translated(error, args);
  }
}

const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.attributesFile=/dev/null',
  'core.autocrlf=false',
  'core.quotePath=false',
  'core.fsync=all',
  'protocol.allow=never',
  'gc.auto=0',
  'maintenance.auto=false',
  'advice.detachedHead=false',
  'tar.umask=0022',
  'safe.directory=*',
];

/** git is looked for where systems install it, not on the caller's PATH, where anything may come first. */
const places = '/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/opt/local/bin:/run/current-system/sw/bin';

const environment = {
  PATH: places,
  HOME: '/nonexistent',
  LANG: 'C',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_NO_REPLACE_OBJECTS: '1',
};

const identity = [
  'GIT_AUTHOR_NAME',
  'GIT_AUTHOR_EMAIL',
  'GIT_AUTHOR_DATE',
  'GIT_COMMITTER_NAME',
  'GIT_COMMITTER_EMAIL',
  'GIT_COMMITTER_DATE',
];

const hardened: Partial<SimpleGitOptions> = {
  config: settings,
  allowEnvironment: [...Object.keys(environment), ...identity, 'GIT_INDEX_FILE'],
  // simple-git asks for consent to what it takes for dangerous; each of these is set to switch something off.
  unsafe: {
    allowUnsafeHooksPath: true,
    allowUnsafeFsMonitor: true,
    allowUnsafeProtocolOverride: true,
    allowUnsafeConfigPaths: true,
  },
  completion: { onClose: true, onExit: false },
  errors: (error, result) => {
    if (error) return error;
    if (result.exitCode === 0) return undefined;
    return Buffer.concat([...result.stdErr, Buffer.from(`\n(exit code ${result.exitCode})`)]);
  },
};

function translated(error: unknown, args: string[]): unknown {
  const full = diskFullOr(error);
  if (full !== error) return full;
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('ENOENT') && message.includes('spawn')) {
    return new ArchiveUnwritable(`git cannot be started: install git 2.36 or newer, in one of ${places}.`, {
      cause: error,
    });
  }
  return new GitRefused(`git ${args[0] ?? ''}: ${message.trim()}`, { cause: error });
}
