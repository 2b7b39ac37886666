import { type ChildProcessWithoutNullStreams as Bash, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Output } from './output.ts';

/** How a command ended: with its exit code, or with the shell itself gone (`exit`, a signal), or not in time. */
type Ending = { kind: 'code'; code: number } | { kind: 'gone'; code: number | null } | { kind: 'late' };

/**
 * One bash that lives from command to command, so that `cd`, variables and background processes stay. Commands read
 * nothing from stdin. What is printed between two of them stands in front of the second one's output, cut to a quarter of
 * what a command may show. A shell that ends or hangs is replaced, and the result says so.
 */
export class Shell {
  readonly #directory: string;
  readonly #outputChars: number;
  #bash: Bash | null = null;
  #between: Output | null = null;

  constructor(directory: string, outputChars: number) {
    this.#directory = directory;
    this.#outputChars = outputChars;
  }

  /** Output (stdout and stderr together, cut) and a last line with the exit code. Never throws. */
  async run(command: string, timeoutMs: number): Promise<string> {
    if (this.#bash?.exitCode !== null || this.#bash.signalCode !== null) this.#bash = start(this.#directory);
    const earlier = this.#between?.text() ?? '';
    this.#between = new Output(this.#outputChars / 4);
    const output = new Output(this.#outputChars);
    const ending = await perform(this.#bash, command, timeoutMs, output, this.#between);
    if (ending.kind !== 'code') this.close();
    const text = earlier + output.text();
    return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${describe(ending, timeoutMs)}`;
  }

  /** Ends the shell and what it started. The next command starts a new one. */
  close(): void {
    if (this.#bash?.pid !== undefined) endGroup(this.#bash.pid);
    this.#bash = null;
  }
}

function start(directory: string): Bash {
  const env = { ...process.env, PAGER: 'cat', GIT_PAGER: 'cat', TERM: 'dumb' };
  const bash = spawn('bash', ['--noprofile', '--norc'], { cwd: directory, env, detached: true });
  bash.stdin.on('error', () => {}); // It ended before it read the command: 'exit' tells.
  bash.stdin.write('exec 2>&1\n');
  bash.stdout.setEncoding('utf8');
  return bash;
}

/** `eval` of a quoted text makes an open quote or heredoc a syntax error instead of a shell that waits for more. */
function perform(bash: Bash, command: string, timeoutMs: number, output: Output, between: Output): Promise<Ending> {
  const mark = `<${randomUUID()}:`;
  const quoted = `'${command.replaceAll("'", `'\\''`)}\n'`;
  return new Promise((resolve) => {
    let waiting = '';
    const read = (chunk: string) => {
      waiting += chunk;
      const at = waiting.indexOf(mark);
      const sure = at >= 0 ? at : Math.max(0, waiting.length - mark.length);
      output.add(waiting.slice(0, sure));
      waiting = waiting.slice(sure);
      const code = /:(\d+)>\n/.exec(waiting);
      if (at < 0 || !code) return;
      waiting = waiting.slice(code.index + code[0].length);
      end({ kind: 'code', code: Number(code[1]) });
    };
    // What it printed last may still be on its way when it is gone; a background process may keep the output open.
    const gone = (code: number | null) => {
      const close = () => end({ kind: 'gone', code });
      if (bash.stdout.readableEnded) return close();
      bash.stdout.once('end', close);
      setTimeout(close, 500).unref();
    };
    const failed = () => end({ kind: 'gone', code: null });
    const timer = setTimeout(() => end({ kind: 'late' }), timeoutMs);
    const end = (ending: Ending) => {
      clearTimeout(timer);
      bash.stdout.removeAllListeners('data').on('data', (text: string) => between.add(text));
      bash.off('exit', gone);
      bash.off('error', failed);
      (ending.kind === 'code' ? between : output).add(waiting);
      resolve(ending);
    };
    bash.stdout.removeAllListeners('data').on('data', read);
    bash.once('exit', gone);
    bash.once('error', failed);
    bash.stdin.write(`eval ${quoted} </dev/null\nprintf '%s%d>\\n' '${mark}' $?\n`);
  });
}

function describe(ending: Ending, timeoutMs: number): string {
  if (ending.kind === 'code') return `exit code ${ending.code}`;
  if (ending.kind === 'late')
    return `exit code none: ended after ${Math.round(timeoutMs / 1000)} s; a new shell was started`;
  return `exit code ${ending.code ?? 'none'}: the shell ended; a new one was started`;
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
