import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a program of this machine. @throws Error with the end of what it printed when it fails. */
export async function run(argv: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  const keep = (chunk: Buffer): void => {
    printed = (printed + chunk.toString()).slice(-20_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${argv.join(' ')} failed: ${printed.trim().split('\n').slice(-3).join(' ')}`);
  return printed;
}

/** Whether a program is to be found on the search path. */
export async function has(program: string): Promise<boolean> {
  return await run(['sh', '-c', 'command -v "$1"', 'sh', program]).then(
    () => true,
    () => false,
  );
}
