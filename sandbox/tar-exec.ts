import { type ExecOptions, type ExecResult, SandboxGone, SandboxLimit, type TakeCaps } from './sandbox.ts';
import type { TarEntry } from './schema.ts';
import { packTar, readTar } from './tar.ts';

type Exec = (argv: readonly string[], options: ExecOptions) => Promise<ExecResult>;

/** Long enough for any tree within the caps; the sandbox's own deadline comes first. */
const PATIENCE_MS = 120_000;
/** Our own exit code, which tar does not use. */
const NO_DIRECTORY = 66;
const ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };

/**
 * Puts files into a sandbox by running its own `tar` in it. What the archive holds besides regular files is dropped here;
 * files get the present as their time, since zero makes tools suspicious.
 */
export async function putByTar(exec: Exec, dir: string, tar: Uint8Array): Promise<void> {
  const script = 'umask 022; mkdir -p "$1" && exec tar -x -f - -m --no-same-owner -C "$1"';
  const result = await exec(['/bin/sh', '-c', script, 'sh', dir], {
    cwd: '/',
    env: ENV,
    stdin: packTar(readTar(tar)),
    deadlineMs: Date.now() + PATIENCE_MS,
  });
  if (result.exitCode !== 0) throw failure(`Files could not be put into ${dir}`, result);
}

/** Takes files out of a sandbox by running its own `tar` in it, and reads the archive here, in memory. */
export async function takeByTar(exec: Exec, dir: string, caps: TakeCaps): Promise<TarEntry[]> {
  // Enough for the headers and the padding of every file allowed, and for as many directories.
  const archiveBytes = caps.maxBytes + (caps.maxEntries + 1) * 4096 + 65_536;
  const script = `cd "$1" 2>/dev/null || exit ${NO_DIRECTORY}; exec tar -c -f - --format=pax --hard-dereference .`;
  const result = await exec(['/bin/sh', '-c', script, 'sh', dir], {
    cwd: '/',
    env: ENV,
    deadlineMs: Date.now() + PATIENCE_MS,
    maxOutputBytes: 2 * archiveBytes,
  });
  if (result.exitCode === NO_DIRECTORY) return [];
  if (result.stdout.cut || result.stdout.totalBytes > archiveBytes) {
    throw new SandboxLimit(`The files in ${dir} are more than ${caps.maxBytes} bytes or ${caps.maxEntries} files.`);
  }
  // 1 and 2 are said of files that changed or could not be read, too; then the archive is whole without them.
  if (result.timedOut || (result.exitCode ?? 9) > 2 || result.stdout.totalBytes === 0) {
    throw failure(`The files in ${dir} could not be taken`, result);
  }
  return readTar(result.stdout.bytes, caps).sort((a, b) => (a.path < b.path ? -1 : 1));
}

function failure(what: string, { exitCode, timedOut, stderr }: ExecResult): Error {
  const said = new TextDecoder().decode(stderr.bytes.subarray(0, 500)).trim();
  if (said.includes('No space left on device')) return new SandboxLimit(`${what}: its disk is full.`);
  const why = timedOut ? 'it took too long' : `tar ended with ${exitCode}`;
  return new SandboxGone(`${what}: ${why}. ${said}`, 'program');
}
