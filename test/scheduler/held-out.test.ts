import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Archive, openArchive } from '#archive/archive.ts';
import { type AgentId, type PolicySpec, RunSpec } from '#archive/schema.ts';
import { ModelCatalog } from '#services/gateway/models.ts';
import { prepareRun } from '#services/scheduler/prepare-run.ts';
import { SuiteShelf } from '#services/suite-shelf.ts';
import { breed, createRun, temporaryDirectory } from '#test/archive/builders.ts';
import { openHouse } from './house.ts';
import { World } from './policies-world.ts';

const split = { heldOut: 0.3, seed: 5 };

function prepare(archive: Archive, spec: object) {
  const shelf = new SuiteShelf(archive.home);
  return prepareRun(RunSpec.parse(spec), {
    archive,
    catalog: ModelCatalog.parse({}),
    openSuite: (name) => shelf.open(name),
    chooseSandbox: async () => ({ name: 'process' as const, isolates: false, hasImages: false }),
    seedDirectory: join(import.meta.dirname, '..', '..', 'archive', 'seed'),
  });
}

describe('a task that is held out', () => {
  const kinds: PolicySpec['kind'][] = ['hgm', 'dgm', 'greedy', 'uniform'];
  it.each(kinds)('is never met by a %s run: not while it searches, and not by its final measure', async (kind) => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const policy = kind === 'dgm' ? { kind, stageTasks: [3, 50], stageThreshold: 0 } : { kind };
    const spec = { policy, split, budget: { trials: 150, proposals: 20 } };
    const { tasks, heldOut } = await prepare(archive, spec);
    const world = new World({ spec, taskNames: tasks, slots: 3 });
    expect(world.run()).toMatch(/^budget/);
    const met = new Set(world.decisions.flatMap(({ action }) => (action.kind === 'evaluate' ? [action.task] : [])));
    expect([...met].toSorted()).toEqual(tasks.toSorted());
    expect(heldOut.length).toBeGreaterThan(3);
    expect(new Set(heldOut).intersection(met).size).toBe(0);
  });

  it('is left out of the tasks that a run asks for, and cannot be its smoke task', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const all = await prepare(archive, { split });
    const asked = [...all.heldOut.slice(0, 2), ...all.tasks.slice(0, 2)];
    expect(await prepare(archive, { split, tasks: asked })).toMatchObject({
      tasks: all.tasks.slice(0, 2),
      heldOut: all.heldOut.slice(0, 2),
    });
    await expect(prepare(archive, { split, tasks: all.heldOut })).rejects.toThrow(/none is left to search/);
    await expect(prepare(archive, { split, smokeTask: all.heldOut[0] })).rejects.toThrow(/cannot be the smoke task/);
  });

  it('is no task that children are checked with', async () => {
    using directory = temporaryDirectory();
    await using house = await openHouse({ home: directory.path, works: false });
    const run = await house.begin({ tasks: ['t7', 't8'], policy: { kind: 'hgm' } });
    const jobs = () => house.archive.jobs.ready(run.id, house.clock());
    await house.until(() => jobs().length === 2);
    for (const { id } of jobs()) {
      const claimed = await house.control.claim(id, 'w');
      await house.control.complete(claimed!.lease, {
        ...{ kind: 'trial', outcome: 'unresolved', y: 0, reason: '', patch: null, transcript: '', graderLog: null },
        ...{ grading: null, solveMs: 1, gradeMs: 1 },
      });
    }
    await house.until(() => jobs().some(({ id }) => id.includes('-p')));
    const proposal = await house.control.claim(jobs()[0]!.id, 'w');
    expect(proposal).toMatchObject({ kind: 'proposal', smokeTask: { id: 't7' } });
  });
});

describe('a measuring run', () => {
  const measure = (agents: AgentId[], given: object = {}) => ({ policy: { kind: 'measure', agents, ...given } });

  /** A run of the katas in which something was bred. */
  function searched(archive: Archive, given: { tasks: string[]; heldOut?: string[]; spec?: object }) {
    const run = createRun(archive, given);
    return { run, seed: `${run.id}-a1` as const, child: breed(archive, `${run.id}-a1`, `child of ${run.id}`) };
  }

  it('takes the tasks that the run of its agents held out, searched, or all', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const { seed, child } = searched(archive, {
      tasks: ['date-range', 'lru-touch'],
      heldOut: ['event-bus', 'sql-names'],
    });
    const tasksOf = async (part: string) => (await prepare(archive, measure([seed, child], { part }))).tasks;
    expect(await tasksOf('held-out')).toEqual(['event-bus', 'sql-names']);
    expect(await tasksOf('search')).toEqual(['date-range', 'lru-touch']);
    expect((await tasksOf('all')).length).toBeGreaterThan(14);
    const named = await prepare(archive, { ...measure([seed, child]), tasks: ['tax-report', 'date-range'] });
    expect(named).toMatchObject({ tasks: ['date-range', 'tax-report'], heldOut: [] });
  });

  it('takes no task for held out that the run of another of its agents searched', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const one = searched(archive, { tasks: ['date-range'], heldOut: ['event-bus', 'sql-names'] });
    const other = searched(archive, { tasks: ['event-bus'], heldOut: ['date-range', 'tax-report'] });
    const { tasks } = await prepare(archive, measure([one.child, other.child]));
    expect(tasks).toEqual(['sql-names', 'tax-report']);
    expect((await prepare(archive, measure([one.child, other.seed].slice(0, 1)))).tasks).toEqual([
      'event-bus',
      'sql-names',
    ]);
  });

  it('adopts its agents with their source, and an adopted one as the one it was adopted from', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const { seed, child, run } = searched(archive, { tasks: ['date-range'], heldOut: ['event-bus'] });
    const prepared = await prepare(archive, measure([seed, child]));
    const { commit, tree } = archive.agents.get(child)!;
    expect(prepared.roots[1]).toMatchObject({ commit, tree, origin: { id: child, generation: 1 } });
    const measured = archive.runs.create({ ...prepared, nowMs: 1 });
    expect(archive.runs.get(measured.id)?.counts.agents).toBe(2);
    const again = await prepare(archive, measure([seed, `${measured.id}-a2`]));
    expect(again.roots.map(({ origin }) => origin?.id)).toEqual([`${run.id}-a1`, child]);
  });

  it('says what is wrong with what it is to measure', async () => {
    using directory = temporaryDirectory();
    await using archive = await openArchive(directory.path);
    const { seed, child } = searched(archive, { tasks: ['date-range'] });
    const all = { part: 'all' };
    await expect(prepare(archive, measure([seed, child]))).rejects.toThrow(/hold out no task of katas/);
    await expect(prepare(archive, measure([seed, 'r000000-a9'], all))).rejects.toThrow(/no agent r000000-a9/);
    await expect(prepare(archive, measure([seed, seed], all))).rejects.toThrow(/is named twice/);
    const other = createRun(archive);
    await expect(prepare(archive, measure([seed, `${other.id}-a1`], all))).rejects.toThrow(/have the same source/);
    await expect(prepare(archive, { ...measure([seed, child], all), split })).rejects.toThrow(/cannot hold tasks out/);
    await expect(prepare(archive, { ...measure([seed, child]), tasks: ['nope'] })).rejects.toThrow(/no task nope/);
    const otherSuite = { ...measure([seed, child]), suite: 'mine' };
    cpSync(join(import.meta.dirname, '../../benchmarks/suites/katas'), join(archive.home, 'suites/mine'), {
      recursive: true,
    });
    await expect(prepare(archive, otherSuite)).rejects.toThrow(/hold out no task of mine/);
  });
});
