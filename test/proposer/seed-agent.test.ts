import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Repository } from '#archive/repository.ts';
import { type CallRole, type ProposalResult, RunSpec } from '#archive/schema.ts';
import type { Suite } from '#benchmarks/schema.ts';
import { openSuite } from '#benchmarks/suite.ts';
import { createProcess } from '#sandbox/process.ts';
import type { SandboxDriver } from '#sandbox/sandbox.ts';
import { createRehearsal } from '#services/gateway/rehearsal/rehearsal.ts';
import { propose } from '#services/proposer/propose.ts';
import { workingDrivers } from '#test/provision/drivers.ts';

let home: string;
let repository: Repository;
let suite: Suite;
let seed: { commit: string; tree: string };

beforeAll(async () => {
  home = await mkdtemp(path.join(tmpdir(), 'clade-proposer-'));
  repository = new Repository(home, () => []);
  await repository.create();
  seed = await repository.commitSeed(path.resolve('archive/seed'));
  suite = await openSuite('katas', { shelf: path.join(home, 'suites') });
});

afterAll(() => rm(home, { recursive: true, force: true }));

describe('proposals of the seed agent with the rehearsal model', { timeout: 120_000 }, () => {
  it('make viable children that git can show, and name the step that the others fail', async () => {
    const results: ProposalResult[] = [];
    for (const randomSeed of [1, 2, 3, 4]) results.push(await proposeFromSeed(randomSeed));
    const viable = results.filter((result) => result.outcome === 'viable');
    expect(viable.length).toBeGreaterThan(0);
    for (const { tree, title, steps } of viable) {
      expect(await repository.diff(seed.tree, tree ?? '')).toContain('diff --git');
      expect(title).not.toBeNull();
      expect(steps.every((step) => step.passed)).toBe(true);
    }
    for (const { outcome, reason, tree } of results.filter((result) => result.outcome !== 'viable')) {
      expect(outcome).not.toBe('infra');
      expect(reason).not.toBe('');
      expect(tree).toBeNull();
    }
  });

  it('come out the same when made again', async () => {
    const told = ({ outcome, tree, patch, title }: ProposalResult) => ({ outcome, tree, patch, title });
    expect(told(await proposeFromSeed(1))).toEqual(told(await proposeFromSeed(1)));
  });

  it('ask the same, to the letter, in sandboxes of every kind', async () => {
    const asked = [];
    for (const driver of await workingDrivers()) {
      await driver.prepare('clade/base:1');
      const asks: Asked[] = [];
      const { outcome } = await proposeFromSeed(1, driver, asks);
      expect(outcome).toBe('viable');
      expect(new Set(asks.map(({ role }) => role))).toEqual(new Set(['diagnosis', 'selfEdit', 'viability']));
      asked.push(asks);
    }
    for (const asks of asked.slice(1)) expect(asks).toEqual(asked[0]);
  });
});

interface Asked {
  role: CallRole;
  body: string;
}

function proposeFromSeed(
  randomSeed: number,
  driver: SandboxDriver = createProcess(),
  asked: Asked[] = [],
): Promise<ProposalResult> {
  const rehearsal = createRehearsal({ suites: () => [suite] });
  const [failed] = suite.tasks.filter((task) => task.abilities.length > 0);
  const [smokeTask] = suite.tasks.filter((task) => task.abilities.length === 0);
  if (failed === undefined || smokeTask === undefined) throw new Error('the suite has no task of each kind');
  const agent = { id: 'rk7m2pq-a1', ...seed } as const;
  return propose(
    {
      kind: 'proposal',
      lease: { jobId: 'rk7m2pq-p1', epoch: 1 },
      leaseMs: 60_000,
      runId: 'rk7m2pq',
      spec: RunSpec.parse({ limits: { trialSeconds: 30, proposalSeconds: 30 } }),
      owner: 'proposer-tests',
      parent: agent,
      editor: agent,
      evidence: { kind: 'failed-task', trialIds: ['rk7m2pq-t1'] },
      past: [
        { task: failed.id, instruction: failed.instruction, outcome: 'unresolved', y: 0, patch: '', transcript: '' },
      ],
      tried: [],
      smokeTask,
    },
    {
      driver,
      source: (tree) => repository.sourceTar(tree),
      stage: (patch) => repository.stage({ parentCommit: seed.commit, patch }),
      model: async (role, request) => {
        const body = await request.text();
        asked.push({ role, body });
        return Response.json(rehearsal.chat(JSON.parse(body), randomSeed));
      },
      report: () => {},
      signal: new AbortController().signal,
    },
  );
}
