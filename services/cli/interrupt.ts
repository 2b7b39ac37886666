import { constants } from 'node:os';
import type { Terminal } from './terminal.ts';

export interface Interrupt extends Disposable {
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP; the second SIGINT ends the process at once, or is `again`'s. */
  readonly signal: AbortSignal;
  /** What to exit with once it was interrupted: 128 + the signal's number. */
  exitCode(): number;
}

/**
 * Turns the first Ctrl-C into an abort, so that a command can put things away. `notice` says at once what it does; null where a
 * live view is drawn on the screen, which the command has to end first. With `again`, which is called at the second Ctrl-C, it
 * is the third that ends the process.
 */
export function onInterrupt(terminal: Terminal, notice: string | null, again?: () => void): Interrupt {
  const controller = new AbortController();
  let hasAgain = again !== undefined;
  let received: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | null = null;
  const listener = (signal: NodeJS.Signals) => {
    if (received !== null && signal === 'SIGINT') {
      if (!hasAgain) process.exit(130);
      hasAgain = false;
      again?.();
    }
    if (received !== null) return;
    received = signal === 'SIGINT' || signal === 'SIGHUP' ? signal : 'SIGTERM';
    controller.abort(new Error(`interrupted by ${signal}`));
    if (notice !== null) terminal.say(notice);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, listener);
  return {
    signal: controller.signal,
    exitCode: () => 128 + (received === null ? 0 : constants.signals[received]),
    [Symbol.dispose]() {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, listener);
    },
  };
}
