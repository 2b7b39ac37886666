import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OwnProcess, runCli } from '#services/cli/program.ts';

export interface Said {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** A command line, run in this process. */
export async function clade(args: readonly string[], env: Record<string, string> = {}): Promise<Said> {
  const said = { stdout: '', stderr: '' };
  const into = (name: keyof typeof said) => ({
    isTTY: false,
    columns: 120,
    on: () => undefined,
    write(text: string) {
      said[name] += text;
      return true;
    },
  });
  // The command line uses no more of its process than this.
  const process = {
    stdout: into('stdout'),
    stderr: into('stderr'),
    env,
    exit: () => undefined,
  } as unknown as OwnProcess;
  const exitCode = await runCli(args, process);
  return { exitCode, ...said };
}

/** A directory of its own, removed at the end. */
export function temporary(): { directory: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'clade-cli-test-'));
  return { directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}
