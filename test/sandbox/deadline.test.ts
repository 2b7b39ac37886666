import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { atDeadline, onAbort } from '#sandbox/deadline.ts';

describe('a deadline', () => {
  test('that has passed is met at once', async () => {
    await new Promise<void>((resolve) => atDeadline(Date.now() - 1000, resolve));
  });

  test('farther away than a timer can be set is not met early', async () => {
    let isLate = false;
    using _deadline = atDeadline(Date.now() + 2 ** 31 + 1000, () => {
      isLate = true;
    });
    await delay(50);
    expect(isLate).toBe(false);
  });

  test('that was called off is not met', async () => {
    let isLate = false;
    const deadline = atDeadline(Date.now() + 20, () => {
      isLate = true;
    });
    deadline[Symbol.dispose]();
    await delay(60);
    expect(isLate).toBe(false);
  });
});

test('a signal that has fired already is heard, and one that was called off is not', async () => {
  await new Promise<void>((resolve) => onAbort(AbortSignal.abort(), resolve));
  const abort = new AbortController();
  let heard = 0;
  const first = onAbort(abort.signal, () => heard++);
  using _second = onAbort(abort.signal, () => heard++);
  first[Symbol.dispose]();
  abort.abort();
  expect(heard).toBe(1);
});
