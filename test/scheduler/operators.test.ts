import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import type { RunId } from '#archive/schema.ts';
import { createMemoryQueue } from '#services/queue/memory.ts';
import { replay } from '#services/scheduler/replay.ts';
import { RunLoop } from '#services/scheduler/run-loop.ts';
import { EMBEDDED } from '#services/worker/fleet.ts';
import { beginTrial, createRun, settleTrial, temporaryDirectory } from '#test/archive/builders.ts';
import { awaitedDriver, measuring, openHouse } from './house.ts';

describe('a stopped run', () => {
  it('has its jobs cancelled in the same transaction, or goes on', async () => {
    using directory = temporaryDirectory();
    const driver = awaitedDriver();
    await using house = await openHouse({ home: directory.path, driver: driver.choose });
    const { id } = await house.begin({ slots: 3, policy: measuring(6) });
    await house.until(() => driver.waiting() === 3);
    using sqlite = database(directory.path);
    sqlite.run(`CREATE TRIGGER refuse BEFORE UPDATE ON jobs WHEN NEW.state = 'cancelled' AND NEW.id LIKE '%-t2'
                BEGIN SELECT RAISE(ABORT, 'refused by the test'); END`);
    expect(() => house.scheduler.stop(id)).toThrow(/refused by the test/);
    expect(house.run(id).state).toBe('running');
    expect(house.archive.jobs.open(id)).toHaveLength(3);
    sqlite.run('DROP TRIGGER refuse');
    house.scheduler.stop(id);
    expect(house.archive.jobs.open(id)).toEqual([]);
    await house.until(() => house.run(id).state === 'stopped');
    expect(house.archive.trials.list(id).map(({ outcome }) => outcome)).toEqual(Array(3).fill('cancelled'));
  });

  it('that was cut short while stopping is stopped by the next start, without doing what was open', async () => {
    using directory = temporaryDirectory();
    const id = await cutShort(directory.path, 'stopping');
    const driver = awaitedDriver();
    await using house = await openHouse({ home: directory.path, driver: driver.choose });
    await house.until(() => house.run(id).state === 'stopped');
    expect(driver.waiting()).toBe(0);
    expect(house.archive.trials.list(id).map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled']);
  });

  it('may be stopped again while it is stopping', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false });
    const { id } = await house.begin({ policy: measuring(6) });
    house.scheduler.stop(id);
    house.scheduler.stop(id);
    await house.until(() => house.run(id).state === 'stopped');
    expect(() => house.scheduler.stop(id)).toThrow(/is stopped/);
  });
});

describe('a kill', () => {
  it('of a pausing run leaves it to rest, and to do what was open when it is resumed', async () => {
    using directory = temporaryDirectory();
    const id = await cutShort(directory.path, 'pausing');
    await using house = await openHouse({ home: directory.path });
    await house.until(() => house.run(id).state === 'paused');
    expect(house.archive.jobs.open(id)).toHaveLength(2);
    house.scheduler.resume(id);
    await house.until(() => house.run(id).state === 'finished');
    expect(house.archive.trials.list(id).map(({ outcome }) => outcome)).toEqual(Array(6).fill('crashed'));
  });

  it('of a closing run leaves it to go on closing', async () => {
    using directory = temporaryDirectory();
    let id: RunId;
    {
      await using killed = await openHouse({ home: directory.path, works: false });
      id = (await killed.begin({ slots: 2, policy: measuring(6), budget: { trials: 1 } })).id;
      await killed.until(() => killed.run(id).state === 'closing');
      expect(await killed.control.claim(`${id}-t1`, EMBEDDED)).not.toBeNull();
    }
    await using house = await openHouse({ home: directory.path });
    await house.until(() => house.run(id).state === 'finished');
    expect(house.run(id).reason).toBe('budget: 1 of 1 trials begun');
    expect(house.archive.agents.get(`${id}-a1`)).toMatchObject({ n: 6 });
    expect(replay(house.archive, id).firstDifference).toBeNull();
  });
});

describe('a run that the service cannot go on with', () => {
  it('fails with a reason and its jobs cancelled, and the runs beside it go on', async () => {
    using directory = temporaryDirectory();
    const driver = awaitedDriver();
    await using house = await openHouse({ home: directory.path, driver: driver.choose });
    const spec = { slots: 2, policy: measuring(6), budget: { trials: 6 } };
    const broken = await house.begin(spec);
    await house.until(() => driver.waiting() === 2);
    using sqlite = database(directory.path);
    sqlite.run(planted(broken.id));
    const beside = await house.begin(spec);
    driver.give();
    await house.until(() => house.run(beside.id).state === 'finished');
    await house.until(() => house.run(broken.id).state === 'failed');
    expect(house.run(broken.id).reason).toMatch(/^the service cannot go on with it: .*-a9 before it joined/);
    expect(house.notices(broken.id).map(({ code }) => code)).toEqual(['run-failed']);
    expect(house.archive.jobs.open(broken.id)).toEqual([]);
    expect(house.scheduler.figures(broken.id)).toEqual({ champion: null, uses: [] });
  });

  it('counts no event twice when it can be read again', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const run = createRun(archive);
    using sqlite = database(directory.path);
    const loop = new RunLoop(run, { archive, queue: createMemoryQueue(), clock: () => 1 });
    settleTrial(archive, beginTrial(archive, { agent: `${run.id}-a1` }), 1);
    sqlite.run(planted(run.id));
    expect(() => loop.catchUp()).toThrow(/before it joined/);
    sqlite.run('DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)');
    loop.catchUp();
    expect(loop.standing).toMatchObject({ trialsBegun: 1, evaluating: 0, decisions: 1 });
    expect(loop.standing.agents).toMatchObject([{ n: 1, s: 1, pending: 0 }]);
  });
});

/** A data directory as a kill leaves it: a run of six tasks in this state, one of whose two trials is leased. */
async function cutShort(home: string, state: 'stopping' | 'pausing'): Promise<RunId> {
  await using house = await openHouse({ home, works: false });
  const { id } = await house.begin({ slots: 2, policy: measuring(6), budget: { trials: 6 } });
  await house.until(() => house.archive.jobs.open(id).length === 2);
  await house.control.claim(house.archive.jobs.open(id)[0]!.id, EMBEDDED);
  house.scheduler[Symbol.dispose]();
  house.archive.runs.setState(id, state, 'said so', house.clock());
  return id;
}

/** An event that no run can go on from. */
function planted(runId: RunId): string {
  const data = JSON.stringify({ kind: 'proposal-begun', proposal: `${runId}-p9`, parent: `${runId}-a9` });
  return `INSERT INTO events (run_id, at, data) VALUES ('${runId}', 1, '${data}')`;
}

/** A second hand in the database, beside the archive's own. */
function database(home: string): Disposable & { run: (sql: string) => void } {
  const sqlite = new Sqlite(join(home, 'archive.sqlite'));
  return { run: (sql) => void sqlite.exec(sql), [Symbol.dispose]: () => void sqlite.close() };
}
