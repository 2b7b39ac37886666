import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, test } from 'vitest';
import { createBubblewrap } from '#sandbox/bubblewrap.ts';
import { type CgroupPlace, createCgroup, findCgroupPlace, joining } from '#sandbox/cgroups.ts';

const PROGRAM = fileURLToPath(new URL('./bubblewrap-for-others.ts', import.meta.url));
const NOBODY = 65534;
const asNobody = { uid: NOBODY, gid: NOBODY, env: { PATH: '/usr/bin:/bin', HOME: '/tmp' }, cwd: '/' };

/** Only root can become somebody else, and not everywhere may others read what root has installed. */
function canRunAsNobody(): boolean {
  try {
    if (process.getuid?.() !== 0) return false;
    execFileSync(process.execPath, ['-e', 'fs.readFileSync(process.argv[1])', PROGRAM], {
      ...asNobody,
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!inject('bubblewrap').available || !canRunAsNobody())('bubblewrap for a user without rights', () => {
  test('limits the disk, keeps the system out of reach, and ends everything at the deadline', () => {
    const printed = JSON.parse(execFileSync(process.execPath, [PROGRAM], asNobody).toString());
    const writable = Number(printed.stdout.split('\n')[0]);
    expect(writable).toBeGreaterThan(3e6);
    expect(writable).toBeLessThanOrEqual(4 * 2 ** 20);
    expect(printed.stdout.split('\n').slice(1)).toEqual([`CapEff:\t${'0'.repeat(16)}`, '']);
    expect(printed.timedOut).toBe(true);
    // The two of bwrap, the shell, ls and grep.
    expect(printed.after).toBeLessThanOrEqual(5);
  });
});

const place = await findCgroupPlace();

describe.skipIf(!inject('bubblewrap').available || place === undefined)('what a crash cut short', () => {
  // bwrap forks before it binds its child to its own life; killed between the two, it leaves a child that waits for ever.
  test('is ended by the next start of the same owner, however little of it had begun', async () => {
    const owner = randomUUID();
    const past = spawn('true');
    await once(past, 'exit');
    const prefix = createHash('sha256').update(owner).digest('hex').slice(0, 12);
    const id = `clade-${prefix}-${past.pid}-0`;
    const limits = { cpus: 1, memoryMiB: 64, pids: 16, diskMiB: 1 };
    const group = await createCgroup(place as CgroupPlace, id, limits);
    const [file = '', ...args] = joining(group, ['sleep', '1000']);
    const left = spawn(file, [...args], { stdio: 'ignore' });
    const ended = once(left, 'exit');
    await expect.poll(() => execFileSync('cat', [...group.joinFiles]).toString()).toContain(String(left.pid));
    expect(await createBubblewrap().reap(owner, () => false)).toEqual([id]);
    expect(await ended).toEqual([null, 'SIGKILL']);
  });
});
