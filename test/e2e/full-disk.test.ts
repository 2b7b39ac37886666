import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Event } from '#archive/schema.ts';
import { postRun, runIn, startService } from '#test/service-process.ts';

/** Root may still not mount anything, for instance in a container. */
const mayMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]).status === 0;

it.skipIf(!mayMount)(
  `a full disk pauses the run with a clear event, and room on it resumes the run${mayMount ? '' : ' (skipped: no file system can be mounted here)'}`,
  { timeout: 600_000 },
  async () => {
    using disk = smallDisk(96);
    await using service = await startService(disk.directory, { CLADE_MIN_FREE_MIB: '16' });
    const run = await postRun(service.url, {
      suite: 'katas',
      sandbox: 'process',
      tasks: ['csv-quotes', 'date-range', 'lru-touch', 'config-zero', 'mime-lookup'],
      budget: { trials: 12 },
    });
    disk.fill();
    const paused = await runIn(service.url, run.id, ['paused']);
    expect(paused.reason).toMatch(/disk full/);
    disk.clear();
    const done = await runIn(service.url, run.id, ['finished']);
    expect(done.counts.trialsSettled).toBeGreaterThanOrEqual(12);
    const notices = (await events(service.url, run.id)).flatMap(({ data }) =>
      data.kind === 'notice' ? [data.code] : [],
    );
    expect(notices).toContain('disk-full');
  },
);

/** A file system of its own in memory, so that filling it harms nobody. */
function smallDisk(sizeMiB: number) {
  const directory = mkdtempSync(join(tmpdir(), 'clade-test-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', directory]);
  const ballast = join(directory, 'ballast');
  return {
    directory,
    fill() {
      const { bavail, bsize } = statfsSync(directory);
      try {
        writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - 256 * 1024)));
      } catch (error) {
        // The service wrote something meanwhile, and the disk is as full as can be.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      }
    },
    clear: () => rmSync(ballast),
    [Symbol.dispose]() {
      execFileSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The run's events so far. */
async function events(url: string, runId: string): Promise<Event[]> {
  const response = await fetch(new URL(`/v1/runs/${runId}/events?follow=false`, url));
  const lines = (await response.text()).matchAll(/^data: (.*)$/gm);
  return [...lines].map(([, json]) => JSON.parse(json!) as Event).filter((event) => 'data' in event);
}
