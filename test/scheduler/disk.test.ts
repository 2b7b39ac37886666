import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { waitsForDisk } from '#services/scheduler/disk-pause.ts';
import { createDiskWatch } from '#services/scheduler/disk-watch.ts';
import { temporaryDirectory } from '#test/archive/builders.ts';
import { awaitedDriver, measuring, openHouse } from './house.ts';

const mayMount = process.getuid?.() === 0;
const trials = { slots: 2, policy: measuring(6), budget: { trials: 6 } };

describe('a full disk', () => {
  it('keeps doorbells that were rung already from being answered', async () => {
    using directory = temporaryDirectory();
    const disk = toldDisk();
    await using house = await openHouse({ home: directory.path, disk, works: false });
    const { id } = await house.begin(trials);
    await house.until(() => house.archive.jobs.open(id).length === 2);
    disk.why = 'disk full: said so';
    expect(await house.control.claim(`${id}-t1`, 'w')).toBeNull();
  });

  it('does not count against a job that fails on it', async () => {
    using directory = temporaryDirectory();
    const disk = toldDisk();
    const driver = awaitedDriver();
    await using house = await openHouse({ home: directory.path, disk, driver: driver.choose });
    const { id } = await house.begin(trials);
    await house.until(() => driver.waiting() === 2);
    disk.why = 'disk full: said so';
    driver.fail();
    await house.until(() => house.run(id).state === 'paused');
    expect(house.archive.jobs.open(id)).toMatchObject([{ infraFailures: 0 }, { infraFailures: 0 }]);
  });

  it.each(['pausing', 'paused'] as const)(
    'does not resume a run that an operator pauses while it is %s',
    async (state) => {
      using directory = temporaryDirectory();
      const disk = toldDisk();
      const driver = awaitedDriver();
      await using house = await openHouse({ home: directory.path, disk, driver: driver.choose });
      const { id } = await house.begin(trials);
      const beside = await house.begin(trials);
      await house.until(() => driver.waiting() === 4);
      disk.why = 'disk full: said so';
      if (state === 'paused') driver.give();
      await house.until(() => house.run(id).state === state && house.run(beside.id).state === state);
      expect(waitsForDisk(house.run(id))).toBe(true);
      house.scheduler.pause(id);
      driver.give();
      disk.why = null;
      await house.until(() => house.run(beside.id).state === 'finished');
      expect(house.run(id)).toMatchObject({ state: 'paused', reason: 'paused by an operator' });
      house.scheduler.resume(id);
      await house.until(() => house.run(id).state === 'finished');
    },
  );

  it.skipIf(!mayMount)('that only refuses to write pauses runs too, and room on it resumes them', async () => {
    using small = smallDisk('size=64m');
    const driver = awaitedDriver();
    await using house = await openHouse({ home: small.directory, driver: driver.choose });
    const { id } = await house.begin(trials);
    await house.until(() => driver.waiting() === 2);
    small.fill();
    driver.give();
    await house.until(() => waitsForDisk(house.run(id)));
    expect(house.notices(id)).toMatchObject([{ level: 'error', code: 'disk-full' }]);
    small.clear();
    // A job that could not even be given back is taken from its worker when its lease ends.
    await house.until(() => house.run(id).state === 'finished', 1_000);
    expect(house.archive.agents.get(`${id}-a1`)).toMatchObject({ n: 6 });
  });
});

describe.skipIf(!mayMount)('the watch of the disk', () => {
  it('counts the files that there is room for', () => {
    using small = smallDisk('size=64m,nr_inodes=300');
    const watch = createDiskWatch(small.directory, 0);
    expect(watch.full()).toMatch(/^disk full: room for 29\d more files in .*, needs it for 1000; goes on by itself/);
    expect(existsSync(join(small.directory, 'reserve'))).toBe(false);
  });

  it('after a refusal looks for more room than its own reserve takes', () => {
    using small = smallDisk('size=64m');
    const watch = createDiskWatch(small.directory, 0);
    expect(watch.full()).toBeNull();
    small.fill();
    expect(watch.full()).toBeNull();
    watch.refused();
    expect(watch.full()).toMatch(/was refused/);
    expect(watch.full()).toMatch(/was refused/);
    small.clear();
    expect(watch.full()).toBeNull();
    expect(existsSync(join(small.directory, 'reserve'))).toBe(true);
    expect(existsSync(join(small.directory, 'probe'))).toBe(false);
  });
});

/** A watch that says what it is told to. */
function toldDisk() {
  return {
    why: null as string | null,
    full() {
      return this.why;
    },
    refused() {},
  };
}

/** A file system of its own in memory. */
function smallDisk(options: string) {
  const directory = mkdtempSync(join(tmpdir(), 'clade-test-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]);
  const ballast = join(directory, 'ballast');
  return {
    directory,
    fill() {
      const { bavail, bsize } = statfsSync(directory);
      writeFileSync(ballast, Buffer.alloc(bavail * bsize));
    },
    clear: () => rmSync(ballast),
    [Symbol.dispose]() {
      execFileSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
