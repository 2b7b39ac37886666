import pc from 'picocolors';

/** The colours of a terminal, or none. */
export type Paint = ReturnType<typeof pc.createColors>;

/** Where a command answers. */
export interface Terminal {
  env: Record<string, string | undefined>;
  paint: Paint;
  /** Whether `print` goes to a screen that a person looks at. */
  interactive: boolean;
  columns(): number;
  /** What the command ends with, unless it throws. */
  exitCode: number;
  /** One line, or several, to stdout. */
  print(text: string): void;
  /** Text to stdout as it is. */
  write(text: string): void;
  /** A line for the person, to stderr. */
  say(text: string): void;
}

/** The terminal of a process. Colours follow NO_COLOR, FORCE_COLOR and whether stdout is a screen. */
export function createTerminal({ stdout, stderr, env }: Pick<NodeJS.Process, 'stdout' | 'stderr' | 'env'>): Terminal {
  const interactive = stdout.isTTY === true && env.TERM !== 'dumb';
  const wanted = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0';
  const refused = env.NO_COLOR !== undefined && env.NO_COLOR !== '';
  return {
    env,
    paint: pc.createColors((interactive || wanted) && !refused),
    interactive,
    exitCode: 0,
    columns: () => stdout.columns ?? 120,
    print: (text) => void stdout.write(`${text}\n`),
    write: (text) => void stdout.write(text),
    say: (text) => void stderr.write(`${text}\n`),
  };
}
