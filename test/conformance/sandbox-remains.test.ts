import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import type { Sandbox } from '#sandbox/sandbox.ts';
import { everyDriver } from '#test/provision/drivers.ts';
import { processesWith, remainsOf, shell, someOwner, someSleep, someSpec } from './sandbox-drivers.ts';

const OWNER_PROGRAM = fileURLToPath(new URL('./sandbox-crashing-owner.ts', import.meta.url));
const nobody = () => false;
const everybody = () => true;

for (const { driver, missing } of await everyDriver()) {
  describe.skipIf(missing !== null)(`of a ${driver.name} sandbox nothing remains`, () => {
    beforeAll(async () => await driver.prepare('clade/base:1'), 600_000);

    test.for<[string, (sandbox: Sandbox) => Promise<unknown>]>([
      ['success', (sandbox) => shell(sandbox, 'echo x > file')],
      ['failure', (sandbox) => shell(sandbox, 'exit 1')],
      ['a timeout', (sandbox) => shell(sandbox, 'setsid sleep 1000', 300)],
      ['making its files untouchable', (sandbox) => shell(sandbox, 'mkdir -p a/b && touch a/b/c && chmod 000 a/b a')],
    ])('after %s', async ([, use]) => {
      const spec = someSpec();
      const sandbox = await driver.open(spec);
      await use(sandbox);
      await sandbox[Symbol.asyncDispose]();
      await driver.settled?.();
      expect(await remainsOf([sandbox.id])).toEqual([]);
      expect(await driver.reap(spec.labels.owner, nobody)).toEqual([]);
    });

    test('after a crash of the owner, once it was reaped', async () => {
      const owner = someOwner();
      const sleep = someSleep();
      const child = spawn(process.execPath, [OWNER_PROGRAM, driver.name, owner, sleep], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let printed = '';
      child.stdout.on('data', (chunk) => {
        printed += chunk;
      });
      await once(child, 'close');
      expect(child.signalCode).toBe('SIGKILL');
      const id = printed.trim();
      expect(id).not.toBe('');
      await driver.reap(owner, nobody);
      // Bubblewrap's end with their owner, which the kernel takes a moment for.
      await vi.waitFor(() => expect(processesWith(sleep)).toEqual([]), 10_000);
      expect(await remainsOf([id])).toEqual([]);
      expect(await driver.reap(owner, nobody)).toEqual([]);
    });

    test('of dead ones, while those of the living and of other owners stay', async () => {
      const owner = someOwner();
      await using alive = await driver.open(someSpec({ labels: { owner, run: 'r', job: 'alive', epoch: 2 } }));
      await using dead = await driver.open(someSpec({ labels: { owner, run: 'r', job: 'dead', epoch: 1 } }));
      await using other = await driver.open(someSpec());
      expect(await driver.reap(owner, everybody)).toEqual([]);
      expect(await driver.reap(owner, ({ job, epoch }) => job === 'alive' && epoch === 2)).toEqual([dead.id]);
      expect((await shell(alive, 'echo alive')).stdout).toBe('alive\n');
      expect((await shell(other, 'echo other')).stdout).toBe('other\n');
      expect(await remainsOf([dead.id])).toEqual([]);
    });
  });
}
