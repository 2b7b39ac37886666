import { once } from 'node:events';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { SandboxLimit } from '#sandbox/sandbox.ts';
import type { Limits } from '#sandbox/schema.ts';
import { packTar } from '#sandbox/tar.ts';
import { everyDriver } from '#test/provision/drivers.ts';
import { keeperOf, processesWith, shell, someSleep, someSpec } from './sandbox-drivers.ts';

for (const { driver, diagnosis, missing } of await everyDriver()) {
  const { enforces } = diagnosis;
  describe.skipIf(missing !== null || !driver.isolates)(`the walls of a ${driver.name} sandbox`, () => {
    beforeAll(async () => await driver.prepare('clade/base:1'), 600_000);
    const open = async (limits: Partial<Limits> = {}) => await driver.open(someSpec({ limits }));

    test.skipIf(!enforces.memory)('limit memory, and what exceeds it is killed', async () => {
      await using sandbox = await open({ memoryMiB: 96 });
      const fill = (mib: number) =>
        `node -e 'const kept = []; for (let i = 0; i < ${mib}; i++) kept.push(Buffer.alloc(2 ** 20, 1)); console.log("fits")'`;
      expect(await shell(sandbox, fill(10))).toMatchObject({ exitCode: 0, stdout: 'fits\n' });
      expect(await shell(sandbox, fill(400))).toMatchObject({ exitCode: 137, stdout: '' });
      expect(await shell(sandbox, 'echo usable')).toMatchObject({ exitCode: 0, stdout: 'usable\n' });
    });

    test.skipIf(!enforces.pids)('limit processes, and everything can be ended with all of them used up', async () => {
      await using sandbox = await open({ pids: 32 });
      const sleep = someSleep();
      const ran = await shell(sandbox, `for i in $(seq 100); do sleep ${sleep} & done`);
      expect(ran).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/fork/) });
      await vi.waitFor(() => expect(processesWith(sleep).length).toBeGreaterThan(16), 10_000);
      expect(processesWith(sleep).length).toBeLessThanOrEqual(32);
      await sandbox.quiesce();
      expect(processesWith(sleep)).toEqual([]);
      expect((await shell(sandbox, 'echo usable')).stdout).toBe('usable\n');
    });

    test.skipIf(!enforces.pids)('hold a fork bomb until the deadline', async () => {
      await using sandbox = await open();
      const options = { env: sandbox.baseEnv, deadlineMs: Date.now() + 1500 };
      const { timedOut } = await sandbox.exec(['bash', '-c', 'bomb() { bomb | bomb & }; bomb; sleep 100'], options);
      expect(timedOut).toBe(true);
      expect((await shell(sandbox, 'echo usable')).stdout).toBe('usable\n');
    });

    test.skipIf(!enforces.disk)('limit what is written', async () => {
      await using sandbox = await open({ diskMiB: 16 });
      const ran = await shell(
        sandbox,
        'dd if=/dev/zero of=small bs=1M count=8 && for i in 1 2 3 4; do dd if=/dev/zero of=part$i bs=1M count=8; done; du -sm . | cut -f1',
      );
      expect(ran.stderr).toContain('No space left on device');
      expect(Number(ran.stdout)).toBeLessThanOrEqual(16);
      const large = { path: 'large', bytes: new Uint8Array(20 * 2 ** 20), executable: false };
      await expect(sandbox.put('/workspace', packTar([large]))).rejects.toThrow(SandboxLimit);
      expect((await shell(sandbox, 'rm -f large part* && echo x > y && echo usable')).stdout).toBe('usable\n');
    });

    test.skipIf(!enforces.cpus)('limit processors', async () => {
      await using sandbox = await open({ cpus: 0.2 });
      const script =
        'const end = Date.now() + 3000; while (Date.now() < end); const { user, system } = process.cpuUsage(); console.log((user + system) / 3e6)';
      const { stdout } = await shell(sandbox, `node -e '${script}'`);
      expect(Number(stdout)).toBeGreaterThan(0);
      expect(Number(stdout)).toBeLessThan(0.5);
    });

    test('stand when the keeper is slow, which may be the machine, and fall when it was stopped for good', async (context) => {
      await using sandbox = await open();
      const keeper = await keeperOf(sandbox);
      if (keeper === undefined) return context.skip('the keeper cannot be seen from here');
      process.kill(keeper, 'SIGSTOP');
      setTimeout(() => process.kill(keeper, 'SIGCONT'), 3000);
      await sandbox.quiesce();
      expect((await shell(sandbox, 'echo usable')).stdout).toBe('usable\n');
      process.kill(keeper, 'SIGSTOP');
      await sandbox.quiesce();
      const gone = await shell(sandbox, 'true').catch((error: unknown) => error);
      expect(gone).toMatchObject({ name: 'SandboxGone', endedBy: 'program' });
    });

    test('leave no network but a loopback of its own', async () => {
      await using sandbox = await open();
      const server = net.createServer((socket) => socket.end('reached')).listen(0, '0.0.0.0');
      await once(server, 'listening');
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const addresses = Object.values(networkInterfaces())
        .flatMap((found) => found ?? [])
        .filter(({ family }) => family === 'IPv4')
        .map((found) => found.address);
      const reach = `for (const host of ${JSON.stringify(addresses)}) require("net").connect(${port}, host).on("error", (e) => console.log(e.code)).on("data", String)`;
      const ran = await shell(sandbox, `node -e '${reach}'; node -p 'Object.keys(os.networkInterfaces()).join()'`);
      server.close();
      expect(ran.stdout).not.toContain('reached');
      expect(ran.stdout.trim().split('\n')).toHaveLength(addresses.length + 1);
      expect(ran.stdout).toMatch(/\nlo\n$/);
      const own =
        'const s = net.createServer((c) => c.end("own")).listen(0, "127.0.0.1", () => net.connect(s.address().port).on("data", (d) => { console.log(String(d)); s.close() }))';
      expect((await shell(sandbox, `node -e '${own}'`)).stdout).toBe('own\n');
    });

    test('leave no rights, and no way to get any', async () => {
      await using sandbox = await open();
      const { stdout } = await shell(
        sandbox,
        'id -u; grep -E "^(CapEff|CapPrm|CapBnd|NoNewPrivs)" /proc/self/status; ulimit -c',
      );
      const none = '0'.repeat(16);
      expect(stdout).toBe(`1000\nCapPrm:\t${none}\nCapEff:\t${none}\nCapBnd:\t${none}\nNoNewPrivs:\t1\n0\n`);
    });

    test('leave nothing else to write to, and nobody else to see', async () => {
      await using sandbox = await open();
      const script =
        'for dir in / /etc /usr /usr/bin /bin /lib /proc /sys /dev /opt /var /home /root; do touch $dir/x 2>/dev/null && echo "$dir"; done; echo 1 > /proc/sys/kernel/panic && echo panic; true';
      expect(await shell(sandbox, script)).toMatchObject({ exitCode: 0, stdout: '' });
      const seen = await shell(sandbox, 'for dir in /proc/[0-9]*; do tr "\\0" " " < $dir/cmdline; echo; done');
      expect(seen.stdout).not.toContain('vitest');
      expect(seen.stdout.split('\n').length).toBeLessThan(10);
      expect(
        (await shell(sandbox, 'ls -A /root /home/* 2>/dev/null | grep -v "^[/.]"; ls -A /var/run/docker.sock')).stdout,
      ).toBe('');
    });
  });
}
