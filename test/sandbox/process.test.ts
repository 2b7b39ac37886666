import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createProcess } from '#sandbox/process.ts';
import { type Sandbox, SandboxGone } from '#sandbox/sandbox.ts';
import { shell, someOwner, someSpec } from '#test/conformance/sandbox-drivers.ts';

const driver = createProcess();
const place = (sandbox: Sandbox) => dirname(sandbox.path('/workspace'));

/** One lease after the other of the same job. */
function leases() {
  const labels = { owner: someOwner(), run: 'run-1', job: 'job-1' };
  return (epoch: number) => driver.open(someSpec({ labels: { ...labels, epoch } }));
}

describe('process sandboxes of one job', () => {
  it('are at the same place each time that it is done again, under the same name', async () => {
    const open = leases();
    const places: string[] = [];
    for (const epoch of [1, 3]) {
      await using sandbox = await open(epoch);
      places.push(`${place(sandbox)} ${(await shell(sandbox, 'pwd; env | grep CLADE')).stdout}`);
    }
    expect(places[1]).toBe(places[0]);
  });

  it('are at different places at the same time, as are those of different jobs', async () => {
    const open = leases();
    await using first = await open(1);
    await using second = await open(3);
    await using other = await leases()(1);
    expect(new Set([first, second, other].map(place)).size).toBe(3);
  });

  it('do nothing to the one that has the place after they were cleared away', async () => {
    const open = leases();
    const late = await open(1);
    const working = shell(late, 'sleep 60');
    const { owner } = JSON.parse((await shell(late, 'cat ../labels.json')).stdout);
    const reaping = driver.reap(owner, () => false);
    const ended = await working.then(
      () => null,
      (error: unknown) => error,
    );
    await reaping;
    await using sandbox = await open(3);
    expect(place(sandbox)).toBe(place(late));
    const running = shell(sandbox, 'echo mine > kept; sleep 1; cat kept');
    await expect(shell(late, 'rm -f kept')).rejects.toBeInstanceOf(SandboxGone);
    await expect(late.take('/workspace', { maxBytes: 100, maxEntries: 9 })).rejects.toMatchObject({
      endedBy: 'harness',
    });
    await late[Symbol.asyncDispose]();
    expect((await running).stdout).toBe('mine\n');
    expect(existsSync(place(sandbox))).toBe(true);
    expect(ended === null || ended instanceof SandboxGone).toBe(true);
  });
});
