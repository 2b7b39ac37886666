import { describe, expect, it } from 'vitest';
import type { RunId } from '#archive/schema.ts';
import { replay } from '#services/scheduler/replay.ts';
import { temporaryDirectory } from '#test/archive/builders.ts';
import { measuring, openHouse } from './house.ts';

const hourMs = 3_600_000;

describe('a run with a budget of hours', () => {
  it('is not charged for the time when the service was away', async () => {
    using directory = temporaryDirectory();
    let id: RunId;
    {
      await using house = await openHouse({ home: directory.path, nowMs: 0, works: false });
      id = (await house.begin({ slots: 1, policy: measuring(6), budget: { hours: 1, trials: 6 } })).id;
      await house.until(() => house.archive.jobs.ready(id, house.clock()).length === 1);
      house.pass(hourMs / 4);
      const { lease } = (await house.control.claim(`${id}-t1`, 'w'))!;
      house.pass(hourMs / 4);
      await house.control.renew(lease);
    }
    await using house = await openHouse({ home: directory.path, nowMs: 3 * hourMs });
    expect(house.scheduler.figures(id).uses).toContainEqual({ limit: 'hours', used: 0.5, max: 1 });
    expect(house.archive.events.after({ runId: id, seq: 0 }).map(({ data }) => data)).toContainEqual({
      ...{ kind: 'service-away', fromMs: hourMs / 2, untilMs: 3 * hourMs },
    });
    await house.until(() => house.run(id).state === 'finished');
    expect(house.run(id).reason).toBe('budget: 6 of 6 trials begun');
    expect(replay(house.archive, id).firstDifference).toBeNull();
  });

  it('is told of no absence while it is paused, nor when it is over', async () => {
    using directory = temporaryDirectory();
    let ids: RunId[];
    {
      await using house = await openHouse({ home: directory.path, works: false });
      const spec = { policy: measuring(6) };
      ids = [(await house.begin(spec)).id, (await house.begin(spec)).id];
      house.scheduler.pause(ids[0]!);
      house.scheduler.stop(ids[1]!);
      await house.until(() => house.run(ids[0]!).state === 'paused' && house.run(ids[1]!).state === 'stopped');
    }
    await using house = await openHouse({ home: directory.path, nowMs: 3 * hourMs });
    for (const runId of ids)
      expect(house.archive.events.after({ runId, seq: 0 }).map(({ data }) => data.kind)).not.toContain('service-away');
  });
});
