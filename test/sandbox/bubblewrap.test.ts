import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, test } from 'vitest';

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
