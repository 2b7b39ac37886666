import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import type { Sandbox } from '#sandbox/sandbox.ts';
import { packTar } from '#sandbox/tar.ts';
import type { Found } from '#test/bench/sections.ts';
import { textFiles } from '#test/evaluator/builders.ts';
import { measureInTurns, type Spread, wallMs } from './figures.ts';
import { execIn } from './official-calls.ts';
import { type Bench, benchRoom, type HarnessSection, msText, ratioText } from './section.ts';

const ROUNDS = 10;
/** Calls of one measurement. */
const CALLS = 20;
const CONTENT = 'what the tool reads\n';
const COMMAND = ['/bin/cat', '/workspace/notes.txt'];

/** What it costs an agent to run a command: a child of its own, or an `exec` by the engine. */
export const toolCalls: HarnessSection = { title: 'A tool call of an agent', measure };

/**
 * An agent's tools, as a program in the sandbox has them: it is told commands line by line and runs each as a child.
 * `$1` is what it says after what a command printed.
 */
const PROGRAM = 'while IFS= read -r line; do eval "$line" 2>&1; echo "$1 $?"; done';
const DONE = 'clade-bench-done';

const NAMES = {
  channel: 'over one channel: a child of the program',
  shell: 'over one channel: a shell for each',
  exec: 'an exec by the engine for each',
  cli: '`docker exec` for each',
};
type Name = keyof typeof NAMES;

async function measure({ docker, rounds = ROUNDS, signal, say }: Bench): Promise<Found> {
  if ('missing' in docker) return { skipped: docker.missing };
  await docker.driver.prepare('clade/base:1', { signal });
  const spec = { ...benchRoom('tools'), image: 'clade/base:1', deadlineMs: Date.now() + 3_600_000 };
  await using sandbox = await docker.driver.open(spec, { signal });
  await sandbox.put('/workspace', packTar(textFiles({ 'notes.txt': CONTENT })));
  await using connection = await sandbox.connect(['/bin/bash', '-c', PROGRAM, 'bash', DONE], { env: sandbox.baseEnv });
  const tools = new Channel(connection.stream);
  say(`  ${rounds} rounds in turns of ${CALLS} calls each, in one container`);
  const measured = await measureInTurns<Name>(callsOf(sandbox, tools, docker.engine), { rounds });
  const ratios = {
    exec: measured.exec.median / measured.channel.median,
    execOverShell: measured.exec.median / measured.shell.median,
    cli: measured.cli.median / measured.channel.median,
  };
  return {
    head: ['', 'median', 'min', 'max', 'over the channel'],
    rows: Object.entries(NAMES).map(([name, title]) => rowOf(title, measured[name as Name], measured.channel)),
    notes: [`Each call is \`${COMMAND.join(' ')}\`, in the same container, and its output is checked.`],
    figures: { callMs: measured, ratios },
  };
}

function callsOf(sandbox: Sandbox, tools: Channel, engine: Docker): Record<Name, () => Promise<number>> {
  const container = engine.getContainer(sandbox.id);
  const line = COMMAND.join(' ');
  return {
    channel: () => callMs(() => tools.run(line)),
    exec: () => callMs(() => execIn(container, COMMAND, '/workspace')),
    shell: () => callMs(() => tools.run(`/bin/bash -c '${line}'`)),
    cli: () => callMs(() => printedBy(['docker', 'exec', sandbox.id, ...COMMAND])),
  };
}

async function callMs(call: () => Promise<string>): Promise<number> {
  const ms = await wallMs(async () => {
    for (let calls = 0; calls < CALLS; calls += 1) {
      const printed = await call();
      if (printed !== CONTENT) throw new Error(`A tool call printed ${JSON.stringify(printed)}`);
    }
  });
  return ms / CALLS;
}

function rowOf(title: string, { median, min, max }: Spread, channel: Spread): string[] {
  return [title, msText(median), msText(min), msText(max), ratioText(median / channel.median)];
}

async function printedBy([file = '', ...args]: readonly string[]): Promise<string> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return printed;
}

/** The other end of the program. */
class Channel {
  readonly #stream: Duplex;
  #heard = '';
  #answer: ((printed: string) => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.#heard += chunk.toString();
      const end = new RegExp(`${DONE} \\d+\n`).exec(this.#heard);
      if (end === null) return;
      const printed = this.#heard.slice(0, end.index);
      this.#heard = this.#heard.slice(end.index + end[0].length);
      this.#answer?.(printed);
    });
  }

  async run(line: string): Promise<string> {
    return await new Promise((resolve) => {
      this.#answer = resolve;
      this.#stream.write(`${line}\n`);
    });
  }
}
