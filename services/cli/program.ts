import { Command, CommanderError } from 'commander';
import { knownError } from '#services/api/errors.ts';
import { version } from '#services/api/version.ts';
import { plainText } from './plain-text.ts';
import { createTerminal, type Terminal } from './terminal.ts';

/** What a command line may know of its process. */
export type OwnProcess = Pick<NodeJS.Process, 'stdout' | 'stderr' | 'env' | 'exit'>;

/** Runs one command line. Returns the exit code: 0, 1 (it did not work out) or 2 (it was asked wrongly, or something is missing). */
export async function runCli(args: readonly string[], process: OwnProcess): Promise<number> {
  // A reader that has seen enough (`clade tree | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const terminal = createTerminal(process);
  try {
    const program = await createProgram(args[0], terminal);
    await program.parseAsync([...args], { from: 'user' });
    return terminal.exitCode;
  } catch (error) {
    return explain(error, terminal);
  }
}

/** Each command by name. Loaded when needed: a command that only reads starts in a third of the time of one that evolves. */
const commands: Record<string, (terminal: Terminal) => Promise<Command>> = {
  up: async (terminal) => (await import('./up.ts')).upCommand(terminal),
  control: async (terminal) => (await import('./control.ts')).controlCommand(terminal),
  worker: async (terminal) => (await import('./worker.ts')).workerCommand(terminal),
  workers: async (terminal) => (await import('./workers.ts')).workersCommand(terminal),
  run: async (terminal) => (await import('./run.ts')).runCommand(terminal),
  measure: async (terminal) => (await import('./measure.ts')).measureCommand(terminal),
  demo: async (terminal) => (await import('./demo.ts')).demoCommand(terminal),
  status: async (terminal) => (await import('./status.ts')).statusCommand(terminal),
  pause: async (terminal) => (await import('./steer.ts')).steerCommand('pause', terminal),
  resume: async (terminal) => (await import('./steer.ts')).steerCommand('resume', terminal),
  stop: async (terminal) => (await import('./steer.ts')).steerCommand('stop', terminal),
  tree: async (terminal) => (await import('./tree.ts')).treeCommand(terminal),
  show: async (terminal) => (await import('./show.ts')).showCommand(terminal),
  diff: async (terminal) => (await import('./diff.ts')).diffCommand(terminal),
  replay: async (terminal) => (await import('./replay.ts')).replayCommand(terminal),
  suite: async (terminal) => (await import('./suite.ts')).suiteCommand(terminal),
  grade: async (terminal) => (await import('./grade.ts')).gradeCommand(terminal),
  images: async (terminal) => (await import('./images.ts')).imagesCommand(terminal),
  doctor: async (terminal) => (await import('./doctor.ts')).doctorCommand(terminal),
};

/** A program with the command that is asked for, or with all when none of them is. */
async function createProgram(asked: string | undefined, terminal: Terminal): Promise<Command> {
  const program = new Command('clade')
    .description('Evolves coding agents: breeds from an archive of agents that edit their own source.')
    .version(version)
    .showHelpAfterError('(--help says what there is)');
  const loaders = asked !== undefined && Object.hasOwn(commands, asked) ? [commands[asked]!] : Object.values(commands);
  for (const load of loaders) program.addCommand(await load(terminal));
  return withoutExit(program, terminal);
}

/** Lets errors of the command line be thrown and its texts go to the terminal, in all commands below this one. */
function withoutExit(command: Command, terminal: Terminal): Command {
  command.exitOverride();
  command.configureOutput({ writeOut: terminal.write, writeErr: (text) => terminal.say(text.trimEnd()) });
  for (const below of command.commands) withoutExit(below, terminal);
  return command;
}

/** Says in one line what went wrong. A fault of ours shows its stack only when asked for by CLADE_LOG=debug. */
function explain(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const known = knownError(error);
  if (known !== null) {
    terminal.say(`clade: ${plainText(known.message)}`);
    return known.exitCode;
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  terminal.say(`clade: something broke: ${plainText(message)}. CLADE_LOG=debug shows where.`);
  if (terminal.env.CLADE_LOG === 'debug') terminal.say(stack ?? '');
  return 1;
}
