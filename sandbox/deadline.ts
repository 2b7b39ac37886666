/**
 * Calls `late` once the clock reaches `deadlineMs` (milliseconds since the epoch), at once when it already has; disposing
 * of it calls that off. Does not keep the process alive.
 */
export function atDeadline(deadlineMs: number, late: () => void): Disposable {
  // setTimeout takes at most 2^31 - 1 milliseconds, and fires at once for more.
  const longestMs = 2 ** 31 - 1;
  let timer: NodeJS.Timeout | undefined;
  const wait = (): void => {
    const leftMs = Math.max(0, deadlineMs - Date.now());
    timer = setTimeout(leftMs > longestMs ? wait : late, Math.min(leftMs, longestMs)).unref();
  };
  wait();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Calls `aborted` when the signal fires, at once when it already has; disposing of it calls that off. */
export function onAbort(signal: AbortSignal | undefined, aborted: () => void): Disposable {
  if (signal?.aborted) queueMicrotask(aborted);
  else signal?.addEventListener('abort', aborted, { once: true });
  return { [Symbol.dispose]: () => signal?.removeEventListener('abort', aborted) };
}
