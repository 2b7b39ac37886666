import { randomUUID } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';

/**
 * What runs in a sandbox as long as it is open: a shell that kills everything else when it is told to, and ends, and with it
 * the sandbox, when its stdin is closed, which happens at the latest when the owner crashes. `kill` and `read` are built into
 * the shell, so that this works with the process limit used up; signalling -1 spares the shell itself and process 1, and
 * reaches forking processes all at once.
 */
export const KEEPER_SCRIPT = 'while read -r said; do kill -KILL -1 2>/dev/null; echo "$said"; done';

/**
 * The same for a container, where it answers once all are gone: process 1 of a container takes note of the dead at once. That
 * of a host may be slow to, and the dead ones still count for `kill`; there the owner looks for itself.
 */
export const CONTAINER_KEEPER_SCRIPT =
  'while read -r said; do while kill -KILL -1 2>/dev/null; do :; done; echo "$said"; done';

/** How long it may take to answer: it shares the sandbox's processors, which may be a fraction of one on a busy machine. */
const PATIENCE_MS = 10_000;

/** The owner's end of a keeper. */
export class Keeper {
  readonly #stdin: Writable;
  readonly #stdout: Readable;
  #heard = '';

  constructor(stdin: Writable, stdout: Readable) {
    this.#stdin = stdin;
    this.#stdout = stdout;
    stdin.on('error', () => {});
    stdout.on('error', () => {});
    stdout.on('data', (chunk: Buffer) => {
      this.#heard = (this.#heard + chunk.toString('latin1')).slice(-1000);
    });
  }

  /** Whether it can say nothing any more. */
  get hasEnded(): boolean {
    return this.#stdout.readableEnded || this.#stdout.destroyed;
  }

  /** Kills every process in the sandbox. False when the keeper did not answer in time: it is dead or was stopped. */
  async killAll(): Promise<boolean> {
    // A fresh word each time, so that an answer cannot be given before the question.
    const word = randomUUID();
    this.#stdin.write(`${word}\n`);
    return await this.says(word);
  }

  /** Whether the keeper says `word` in time, or has said it. */
  async says(word: string): Promise<boolean> {
    const giveUpMs = Date.now() + PATIENCE_MS;
    while (!this.#heard.includes(word)) {
      if (Date.now() > giveUpMs || this.hasEnded) return false;
      await this.#more();
    }
    return true;
  }

  /** Resolves when something was said, and now and then when nothing was. */
  async #more(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#stdout.off('data', done);
        resolve();
      };
      const timer = setTimeout(done, 50);
      this.#stdout.once('data', done);
    });
  }

  /** Ends the sandbox. */
  close(): void {
    this.#stdin.destroy();
    this.#stdout.destroy();
  }
}
