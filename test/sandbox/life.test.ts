import { expect, test } from 'vitest';
import { Life } from '#sandbox/life.ts';
import { SandboxUnavailable } from '#sandbox/sandbox.ts';

const never = () => new Promise<never>(() => {});
const far = (): number => Date.now() + 3_600_000;

test('a program whose end is never reported ran out of its time all the same, and then the sandbox is given up', async () => {
  using life = new Life('one', far(), () => {}, 100);
  const printing = async (kept: Parameters<Parameters<Life['run']>[1]>[0]) => {
    kept.stdout.write(Buffer.from('so far'));
    return await never();
  };
  const result = await life.run({ deadlineMs: Date.now() + 50 }, printing, never);
  expect(result).toMatchObject({ exitCode: null, timedOut: true, stdout: { totalBytes: 6 } });
  expect(() => life.check()).toThrow(expect.objectContaining({ name: 'SandboxGone', endedBy: 'harness' }));
});

test('a program that fails while it is killed for its time ran out of it', async () => {
  using life = new Life('one', far(), () => {});
  const killed = Promise.withResolvers<number>();
  const kill = async () => killed.reject(new SandboxUnavailable('the engine is gone'));
  expect(await life.run({ deadlineMs: Date.now() + 50 }, () => killed.promise, kill)).toMatchObject({ timedOut: true });
});

test('an aborted program whose end is never reported is told of by the reason of the signal', async () => {
  using life = new Life('one', far(), () => {}, 100);
  const reason = new Error('not wanted any more');
  const running = life.run({ deadlineMs: far(), signal: AbortSignal.abort(reason) }, never, never);
  await expect(running).rejects.toBe(reason);
  const stop = new AbortController();
  const later = life.run({ deadlineMs: far(), signal: stop.signal }, never, never);
  stop.abort(reason);
  await expect(later).rejects.toBe(reason);
});

test('the first to end a sandbox is the one that is told', () => {
  using life = new Life('one', far(), () => {});
  life.end('program', 'its keeper has ended');
  life.end('harness', 'it was disposed of');
  expect(() => life.check()).toThrow(expect.objectContaining({ endedBy: 'program' }));
});
