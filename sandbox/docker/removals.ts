import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import pLimit from 'p-limit';
import { abortable, answered, type Engine, statusOf } from './answer.ts';

/** How long a container that is removed may take to be gone. */
const PATIENCE_MS = 10_000;
const POLL_MS = 20;
/** Further ones wait, so that opening sandboxes does not outrun the engine, which is busy with each for some 100 ms. */
const AT_ONCE = 8;

/**
 * Containers on their way out. What runs in them is killed first, so that nobody has to wait for the engine to put away the
 * rest. It does so by itself should this process end meanwhile.
 */
export class Removals {
  readonly #answerMs: number;
  readonly #limit = pLimit(AT_ONCE);
  readonly #underWay = new Set<Promise<void>>();

  constructor({ answerMs }: Pick<Engine, 'answerMs'>) {
    this.#answerMs = answerMs;
  }

  /**
   * Begins to remove a container with all that runs in it, which waits while many others are under way.
   * @returns `begun` resolves when the engine was told, `gone` when nothing is left or nothing more can be done. Neither rejects.
   */
  begin(container: Docker.Container): { begun: Promise<void>; gone: Promise<void> } {
    const begun = Promise.withResolvers<void>();
    const gone = this.#limit(async () => {
      const removing = removeContainer(container, this.#answerMs);
      begun.resolve();
      await removing;
    });
    this.#underWay.add(gone);
    void gone.then(() => this.#underWay.delete(gone));
    return { begun: begun.promise, gone };
  }

  /** Resolves when all that was begun before is gone. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }
}

/**
 * Removes a container with all that runs in it, and waits until it is gone, whoever removes it; not longer than the engine
 * gives answers. Never throws.
 */
export async function removeContainer(container: Docker.Container, answerMs: number): Promise<void> {
  const options = { force: true, v: true };
  const isGone = await answered(answerMs, (abortSignal) => container.remove(abortable(options, abortSignal))).then(
    () => true,
    (error: unknown) => statusOf(error) === 404,
  );
  if (isGone) return;
  const giveUpMs = Date.now() + PATIENCE_MS;
  while (Date.now() < giveUpMs && (await isThere(container, answerMs))) await delay(POLL_MS);
}

async function isThere(container: Docker.Container, answerMs: number): Promise<boolean> {
  return await answered(answerMs, (abortSignal) => container.inspect({ abortSignal })).then(
    () => true,
    (error: unknown) => statusOf(error) !== 404 && statusOf(error) !== undefined,
  );
}
