import { mkdtempSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { FleetClient, Heartbeat, Orders } from '#services/worker/fleet.ts';
import { withHealthFile } from '#services/worker/health-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'clade-test-health-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const heartbeat: Heartbeat = {
  ...{ instance: 'i', unwell: null, jobs: [], sandboxes: [], load: 0, diskFreeMiB: 1, wants: 0, gpusOut: [] },
};
const orders: Orders = { desired: 'active', classes: [], hints: [], over: [] };

it('a health file is fresh while control answers, and grows old when it does not', async () => {
  const file = join(folder, 'healthy');
  let isAway = false;
  const fleet = withHealthFile(
    answering(() => isAway),
    file,
  );
  expect(await fleet.beat('one', heartbeat)).toEqual(orders);
  expect(isFresh(file)).toBe(true);
  utimesSync(file, 1, 1);
  isAway = true;
  await expect(fleet.beat('one', heartbeat)).rejects.toThrow('away');
  expect(isFresh(file)).toBe(false);
  isAway = false;
  await fleet.beat('one', heartbeat);
  expect(isFresh(file)).toBe(true);
});

it('a health file that cannot be written keeps no worker from working', async () => {
  const fleet = withHealthFile(
    answering(() => false),
    join(folder, 'nowhere', 'healthy'),
  );
  expect(await fleet.beat('one', heartbeat)).toEqual(orders);
});

function answering(isAway: () => boolean): FleetClient {
  return {
    join: () => Promise.reject(new Error('not asked here')),
    beat: async () => {
      if (isAway()) throw new Error('control is away');
      return orders;
    },
    leave: async () => {},
  };
}

function isFresh(file: string): boolean {
  return statSync(file).mtimeMs > 1_000;
}
