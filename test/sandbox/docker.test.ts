import Docker from 'dockerode';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { containerSettings, settingDifferences } from '#sandbox/docker/container-settings.ts';
import { createDocker } from '#sandbox/docker/docker.ts';
import { SandboxUnavailable } from '#sandbox/sandbox.ts';
import { shell, someSpec } from '#test/conformance/sandbox-drivers.ts';
import { StubEngine } from './stub-engine.ts';

const MIB = 2 ** 20;

/** How many containers the engine is asked to remove at once. */
function watchRemovals(docker: Docker): { now: number; most: number } {
  const removals = { now: 0, most: 0 };
  const dial = docker.modem.dial.bind(docker.modem);
  docker.modem.dial = (options, callback = () => {}) => {
    if (options.method !== 'DELETE') return dial(options, callback);
    removals.now += 1;
    removals.most = Math.max(removals.most, removals.now);
    return dial(options, (error, result) => {
      removals.now -= 1;
      callback(error, result);
    });
  };
  return removals;
}

describe.skipIf(!inject('docker').available)('the container of a sandbox', () => {
  const driver = createDocker();
  beforeAll(async () => await driver.prepare('clade/base:1'), 600_000);
  const inspect = async (id: string) => await new Docker().getContainer(id).inspect();

  test('is made with every wall up', async () => {
    const limits = { cpus: 0.5, memoryMiB: 100, pids: 50, diskMiB: 20 };
    const labels = { owner: 'o', run: 'r', job: 'j', epoch: 7 };
    const spec = someSpec({ limits, labels });
    await using sandbox = await driver.open(spec);
    const { HostConfig: host, Config: config, Mounts: mounts } = await inspect(sandbox.id);
    const tmpfs = `rw,exec,nosuid,nodev,mode=1777,uid=1000,gid=1000,size=${20 * MIB}`;
    expect(host).toMatchObject({
      NetworkMode: 'none',
      IpcMode: 'private',
      CapDrop: ['ALL'],
      Privileged: false,
      ReadonlyRootfs: true,
      PidsLimit: 50,
      Memory: 100 * MIB,
      MemorySwap: 100 * MIB,
      NanoCpus: 5e8,
      Init: true,
      AutoRemove: true,
      ShmSize: 16 * MIB,
      LogConfig: { Type: 'none' },
      Tmpfs: { '/workspace': tmpfs, '/agent': tmpfs, '/task': tmpfs, '/clade': tmpfs, '/tmp': tmpfs },
    });
    expect([host.CapAdd ?? [], host.Binds ?? [], host.Devices ?? [], host.DeviceRequests ?? []]).toEqual([
      [],
      [],
      [],
      [],
    ]);
    expect(host.Ulimits).toEqual([
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'fsize', Soft: 20 * MIB, Hard: 20 * MIB },
      { Name: 'nofile', Soft: 4096, Hard: 4096 },
    ]);
    const [privileges, seccomp = ''] = host.SecurityOpt ?? [];
    expect(privileges).toBe('no-new-privileges');
    expect(JSON.parse(seccomp.replace('seccomp=', ''))).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO' });
    expect(mounts).toMatchObject([
      { Destination: '/etc/hosts', RW: false, Source: expect.stringMatching(/clade-hosts-/) },
    ]);
    expect(config.User).toBe('1000:1000');
    expect(config.Labels).toEqual({
      'dev.clade.owner': 'o',
      'dev.clade.run': 'r',
      'dev.clade.job': 'j',
      'dev.clade.epoch': '7',
      'dev.clade.deadline': String(spec.deadlineMs),
    });
  });

  test('asks the kernel for no odd sockets, no io_uring and no namespaces, and gets none', async () => {
    await using sandbox = await driver.open(someSpec());
    const families = { unix: 1, inet: 2, inet6: 10, netlink: 16, alg: 38, vsock: 40, packet: 17 };
    const script = Object.entries(families).map(
      ([name, family]) =>
        `perl -MSocket -e 'print "${name} ", (socket(my $s, ${family}, ${name === 'alg' ? 5 : 2}, 0) ? "yes" : "no: $!"), "\\n"'`,
    );
    const { stdout } = await shell(sandbox, script.join('\n'));
    const refused = 'no: Operation not permitted';
    expect(stdout.trim().split('\n')).toEqual([
      'unix yes',
      'inet yes',
      'inet6 yes',
      'netlink yes',
      `alg ${refused}`,
      `vsock ${refused}`,
      `packet ${refused}`,
    ]);
    const ioUringSetup = 425;
    const calls = await shell(
      sandbox,
      `perl -e 'my $p = "\\0" x 120; print syscall(${ioUringSetup}, 1, $p), " $!\\n"'; unshare --user true`,
    );
    expect(calls.stdout).toBe('-1 Operation not permitted\n');
    expect(calls.stderr).toContain('Operation not permitted');
  });

  test('has a writable root only for images that keep their working copy there, and is root then over files alone', async () => {
    await using sandbox = await driver.open(someSpec({ writableRoot: true }));
    const { HostConfig: host, Config: config } = await inspect(sandbox.id);
    expect(host).toMatchObject({ ReadonlyRootfs: false, CapDrop: ['ALL'] });
    expect(host.Tmpfs ?? {}).toEqual({});
    expect(config.User).toBe('0:0');
    const ran = await shell(
      sandbox,
      'mkdir /testbed && echo x > /testbed/file && cat /testbed/file; grep CapEff /proc/self/status; pwd',
    );
    // To change owners, to pass over permissions, and to act as the owner of any file.
    expect(ran.stdout).toBe(`x\nCapEff:\t${'0'.repeat(15)}b\n/workspace\n`);
  });

  test.for([true, false])(
    'has a loopback of its own that goes by the name of localhost, and no other network (writable root: %s)',
    async (writableRoot) => {
      await using sandbox = await driver.open(someSpec({ writableRoot }));
      expect((await shell(sandbox, 'grep -w "$(hostname)" /etc/hosts')).exitCode).toBe(0);
      const own = `const s = net.createServer((c) => c.end("own")).listen(0, "localhost", () =>
      net.connect(s.address().port, "localhost").on("data", (d) => { console.log(String(d)); s.close() }))`;
      expect((await shell(sandbox, `ls /sys/class/net; tail -n +2 /proc/net/route; node -e '${own}'`)).stdout).toBe(
        'lo\nown\n',
      );
      const elsewhere = 'net.connect(53, "8.8.8.8").on("error", ({ code }) => console.log(code))';
      expect((await shell(sandbox, `node -e '${elsewhere}'`)).stdout).toBe('ENETUNREACH\n');
    },
  );

  test('runs a program as if there were no shell around it', async () => {
    await using sandbox = await driver.open(someSpec());
    const signalled = "trap '' TERM; kill -TERM 0; kill -USR1 0 2>/dev/null; echo survived";
    expect(await shell(sandbox, `trap : USR1; ${signalled}`)).toMatchObject({ exitCode: 0, stdout: 'survived\n' });
    const options = { env: sandbox.baseEnv, deadlineMs: Date.now() + 30_000 };
    const odd = ['', ' a ', '$x `y` "z"', "'", '\n', 'é\u0001'];
    const echoed = await sandbox.exec(['node', '-p', 'JSON.stringify(process.argv.slice(1))', '--', ...odd], options);
    expect(JSON.parse(Buffer.from(echoed.stdout.bytes).toString())).toEqual(odd);
    const killed = await shell(sandbox, 'kill -SEGV $$');
    expect(killed).toEqual({ exitCode: 139, timedOut: false, stdout: '', stderr: '' });
    const ignored = await shell(sandbox, 'grep -E "^Sig(Ign|Blk)" /proc/self/status');
    expect(ignored.stdout.match(/[1-9a-f]/g)?.join('') ?? '').toBe('');
  });

  test('is removed at the deadline when a program stands in for the keeper, and that is a timeout', async () => {
    await using sandbox = await driver.open(someSpec());
    const script = `
      for dir in /proc/[0-9]*; do grep -qx sh $dir/comm && grep -qa 'KILL [-]1' $dir/cmdline && keeper=$(basename $dir); done
      exec 3</proc/$keeper/fd/0 4>/proc/$keeper/fd/1; kill -STOP $keeper; echo in place
      while read -r said <&3; do echo "$said" >&4; done`;
    const ran = await shell(sandbox, script, 3000);
    expect(ran).toMatchObject({ exitCode: null, timedOut: true, stdout: 'in place\n' });
    const gone = await shell(sandbox, 'true').catch((error: unknown) => error);
    expect(gone).toMatchObject({ name: 'SandboxGone', endedBy: 'program' });
  });

  test('is not started when the engine made it otherwise than asked for', async () => {
    const settings = containerSettings(someSpec(), { seccomp: '{}', volumes: [] });
    const docker = new Docker();
    const container = await docker.createContainer({
      ...settings,
      HostConfig: { ...settings.HostConfig, PidsLimit: 99_999, CapAdd: ['NET_ADMIN'] },
    });
    const made = await container.inspect();
    await container.remove({ force: true });
    const differences = settingDifferences(settings, made);
    expect(differences).toHaveLength(2);
    expect(differences.join()).toMatch(/CapAdd.*PidsLimit is 99999 instead of 64/);
  });

  test('has the engine set up a network only where nothing else makes an `/etc/hosts`', () => {
    const facts = { seccomp: '{}', volumes: [] };
    const isDisabled = (writableRoot: boolean, hostsFile?: string) =>
      containerSettings(someSpec({ writableRoot }), { ...facts, hostsFile }).NetworkDisabled;
    expect([isDisabled(false), isDisabled(false, '/hosts'), isDisabled(true)]).toEqual([false, true, true]);
  });

  test('goes in the background, a bounded number of them, and is gone when all is settled', async () => {
    const docker = new Docker();
    const own = createDocker({ docker });
    const removals = watchRemovals(docker);
    const sandboxes = await Promise.all(
      Array.from({ length: 10 }, () => own.open(someSpec({ limits: { memoryMiB: 64 } }))),
    );
    const first = sandboxes.pop()!;
    await first[Symbol.asyncDispose]();
    expect(removals.now).toBe(1);
    await Promise.all(sandboxes.map((sandbox) => sandbox[Symbol.asyncDispose]()));
    expect(removals.now).toBeGreaterThan(0);
    await own.settled?.();
    expect(removals).toEqual({ now: 0, most: 8 });
    for (const { id } of [first, ...sandboxes]) await expect(inspect(id)).rejects.toMatchObject({ statusCode: 404 });
  });

  test('is waited for where it has GPUs, which others are to have', async () => {
    await using engine = await StubEngine.open();
    const own = createDocker({ docker: engine.docker });
    const sandbox = await own.open(someSpec({ image: 'any:1', gpus: ['GPU-1'] }));
    const removals = watchRemovals(engine.docker);
    await sandbox[Symbol.asyncDispose]();
    expect(removals).toEqual({ now: 0, most: 1 });
  });

  test('asks for exactly the GPUs that were leased', () => {
    const settings = containerSettings(someSpec({ gpus: ['GPU-1', 'GPU-3'] }), { seccomp: '{}', volumes: [] });
    expect(settings.HostConfig.DeviceRequests).toEqual([
      { Driver: 'nvidia', DeviceIDs: ['GPU-1', 'GPU-3'], Capabilities: [['gpu']] },
    ]);
    expect(settings.HostConfig.Privileged).toBe(false);
  });

  test('puts the volumes of an image into memory, too', () => {
    const { HostConfig: host } = containerSettings(someSpec(), { seccomp: '{}', volumes: ['/data'] });
    expect(Object.keys(host.Tmpfs ?? {})).toContain('/data');
  });

  test('of an image that is not to be had is refused, with the reason', async () => {
    const wanted = driver.open(someSpec({ image: 'clade/no-such-image:1' }));
    await expect(wanted).rejects.toThrow(SandboxUnavailable);
    await expect(wanted).rejects.toThrow('clade/no-such-image:1');
  });
});
