import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JobResult, RunSpec } from '#archive/schema.ts';
import { Ability, ReportForm, type Task, type TaskFile, TaskManifest } from '#benchmarks/schema.ts';
import { openSuite } from '#benchmarks/suite.ts';
import { sha256 } from '#services/worker/content-folder.ts';
import type { ClaimedJob } from '#services/worker/control-client.ts';
import { packJob, packResult, unpackJob, unpackResult, WireJob, WireResult } from '#services/worker/wire.ts';
import { decodeTask, encodeTask } from '#services/worker/wire-task.ts';
import { proposalResult, trialResult } from '#test/archive/builders.ts';
import { aTask } from '#test/benchmarks/a-task.ts';

describe('a task as bytes', () => {
  it('is the same task again, whatever is in it', () => {
    fc.assert(
      fc.property(anyTask, (task) => {
        expect(decodeTask(encodeTask(task))).toEqual(task);
      }),
      { numRuns: 200 },
    );
  });

  it('has a value of its own in every field that a task can have', () => {
    // A field that is missing here would be one that no property above has seen.
    const [{ ...task }] = fc.sample(anyTask, { numRuns: 1, seed: 1 });
    expect(Object.keys(task!).sort()).toEqual(Object.keys(aTask()).sort());
    expect(Object.keys(TaskManifest.shape).every((field) => field in task!)).toBe(true);
  });

  it('does not depend on the order in which fields were written', () => {
    const task = aTask({ referencePatch: 'x' });
    const turned = Object.fromEntries(Object.entries(task).reverse()) as unknown as Task;
    turned.test = { ...task.test, env: Object.fromEntries(Object.entries(task.test.env).reverse()) };
    expect(encodeTask(turned)).toEqual(encodeTask(task));
    expect(encodeTask({ ...task, referencePatch: 'y' })).not.toEqual(encodeTask(task));
  });

  it('keeps every task of the built-in suite', async () => {
    const { tasks } = await openSuite('katas', { shelf: tmpdir() });
    for (const task of tasks) expect(decodeTask(encodeTask(task))).toEqual(plain(task));
    expect(new Set(tasks.map((task) => sha256(encodeTask(task)))).size).toBe(tasks.length);
  });

  it('is refused when it was cut short or added to', () => {
    const bytes = encodeTask(aTask());
    for (const end of [0, 10, bytes.length - 1]) expect(() => decodeTask(bytes.subarray(0, end))).toThrow();
    expect(() => decodeTask(Buffer.concat([bytes, Buffer.from('x')]))).toThrow(/came as/);
  });
});

describe('a job on the wire', () => {
  it('is the same job again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyPast, { maxLength: 3 }), anyTask, fc.boolean(), async (past, task, isTrial) => {
        const job = isTrial ? trialJob(task) : { ...proposalJob(task), past };
        expect(await overTheWire(job)).toEqual(job);
      }),
      { numRuns: 50 },
    );
  });

  it('holds short texts itself and long ones by digest', async () => {
    const blobs = new Map<string, Uint8Array>();
    const past = [{ ...aPast, patch: 'short', transcript: 'ü'.repeat(100_000) }];
    const packed = await packJob({ ...proposalJob(aTask()), past }, putInto(blobs), async () => 'd'.repeat(64));
    expect(packed).toMatchObject({ past: [{ patch: { text: 'short' }, transcript: { blob: [...blobs.keys()][0] } }] });
    expect(blobs.size).toBe(1);
  });
});

describe('a result on the wire', () => {
  it('is the same result again', async () => {
    await fc.assert(
      fc.asyncProperty(anyResult, async (result) => {
        const blobs = new Map<string, Uint8Array>();
        const packed = WireResult.parse(JSON.parse(JSON.stringify(await packResult(result, putInto(blobs)))));
        expect(await unpackResult(packed, async (digest) => blobs.get(digest)!)).toEqual(result);
      }),
      { numRuns: 100 },
    );
  });
});

const text = fc.string({ unit: 'binary', maxLength: 40 });
/** Some beyond what travels within a message; some that begin with a byte order mark. */
const longText = fc
  .tuple(fc.constantFrom('', '\uFEFF'), text, fc.constantFrom(0, 1, 4_000))
  .map(([mark, part, times]) => mark + part.repeat(times));
const bytes = fc.uint8Array({ maxLength: 200 });
const files: fc.Arbitrary<TaskFile[]> = fc.array(
  fc.record({ path: fc.string({ minLength: 1 }), bytes, executable: fc.boolean() }),
  { maxLength: 4 },
);
const names = fc.array(text, { maxLength: 3 });
const count = fc.integer({ min: 1, max: 1_000 });
const key = fc.string({ minLength: 1, maxLength: 8 }).filter((name) => name !== '__proto__');

const anyTask: fc.Arbitrary<Task> = fc.record({
  id: fc.constantFrom('a', 'b-2', 'c.d_e'),
  title: fc.string({ minLength: 1 }),
  image: fc.string({ minLength: 1 }),
  workspaceIn: fc.constantFrom('files' as const, 'image' as const),
  workdir: fc.constantFrom('/workspace', '/testbed'),
  baseCommit: fc.constantFrom(null, 'abcdef0'),
  test: fc.record({
    command: fc.array(text, { minLength: 1, maxLength: 3 }),
    report: fc.constantFrom(
      'tap',
      ReportForm.parse({ kind: 'swe-bench', parser: 'p' }),
      ReportForm.parse({ kind: 'reward' }),
      ReportForm.parse({ kind: 'exit-marker', pattern: '(\\d+)' }),
    ),
    timeoutMs: count,
    env: fc.dictionary(key, text, { noNullPrototype: true }),
  }),
  failToPass: names,
  passToPass: names,
  protected: names,
  solutionPaths: names,
  applyWith: fc.constantFrom('exact' as const, 'swe-bench' as const),
  tries: fc.constantFrom(1, 2),
  hints: names,
  abilities: fc.subarray([...Ability.options]),
  resources: fc.record(
    { gpus: fc.nat({ max: 64 }), gpuMemoryGiB: fc.integer({ min: 1, max: 4096 }), gpuModel: fc.constant('H100') },
    { requiredKeys: ['gpus'], noNullPrototype: true },
  ),
  needs: fc.record(
    { cpus: count, memoryMiB: count, diskMiB: count, pids: count },
    { requiredKeys: [], noNullPrototype: true },
  ),
  network: fc.constantFrom(null, { allow: null }, { allow: ['pypi.org'] }),
  instruction: text,
  workspace: files,
  hiddenTests: files,
  graderFiles: files,
  evalScript: fc.option(longText),
  environment: files,
  referencePatch: fc.option(longText),
  solutionFiles: files,
});

const anyPast = fc.record({
  task: text,
  instruction: text,
  outcome: fc.constantFrom(null, 'resolved' as const, 'timeout' as const),
  y: fc.constantFrom(null, 0, 0.25, 1),
  patch: fc.option(longText),
  transcript: longText,
});
const aPast = { task: 'a', instruction: 'Do it.', outcome: 'timeout' as const, y: 0, patch: null, transcript: '' };

const anyResult: fc.Arbitrary<JobResult> = fc.oneof(
  fc
    .record({ patch: fc.option(longText), transcript: longText, graderLog: fc.option(longText), reason: text })
    .map((texts) => ({ ...trialResult(0.5, 'unresolved'), ...texts, grading: aGrading })),
  fc
    .record({
      patch: fc.option(longText),
      transcript: longText,
      diagnosis: fc.option(longText),
      title: fc.option(text),
    })
    .map((texts) =>
      proposalResult({ ...texts, steps: [{ step: 'apply', passed: true, detail: 'ok', durationMs: 3 }] }),
    ),
);
const aGrading = {
  removed: [{ path: 'a', rule: 'r' }],
  flagged: [],
  wholePatch: { resolved: true, reason: 'x' },
  canary: 'failed' as const,
  audit: ['odd'],
  image: null,
};

const common = {
  lease: { jobId: 'r000000-t1' as const, epoch: 3 },
  leaseMs: 30_000,
  runId: 'r000000',
  spec: RunSpec.parse({ policy: { kind: 'dgm' }, budget: { usd: 5 } }),
  owner: 'o',
};

function trialJob(task: Task): ClaimedJob {
  return { ...common, kind: 'trial', agent: { id: 'r000000-a1', tree: 't' }, task, model: 'm' };
}

function proposalJob(smokeTask: Task) {
  return {
    ...common,
    kind: 'proposal' as const,
    parent: { id: 'r000000-a1' as const, commit: 'c', tree: 't' },
    editor: { id: 'r000000-a2' as const, tree: 'u' },
    evidence: { kind: 'timeouts' as const, trialIds: ['r000000-t7' as const] },
    past: [aPast],
    tried: [{ title: 'Tried', outcome: 'empty' as const }],
    smokeTask,
  };
}

/** With every file's bytes as a plain array: those of a suite that was read from a disk are views of Node's own kind. */
function plain(task: Task): Task {
  const filesOf = (list: TaskFile[]) => list.map((file) => ({ ...file, bytes: new Uint8Array(file.bytes) }));
  const { workspace, hiddenTests, graderFiles, environment, solutionFiles } = task;
  return {
    ...task,
    workspace: filesOf(workspace),
    hiddenTests: filesOf(hiddenTests),
    graderFiles: filesOf(graderFiles),
    environment: filesOf(environment),
    solutionFiles: filesOf(solutionFiles),
  };
}

async function overTheWire(job: ClaimedJob): Promise<ClaimedJob> {
  const blobs = new Map<string, Uint8Array>();
  const put = putInto(blobs);
  const packed = await packJob(job, put, (task) => put(encodeTask(task)));
  const get = async (digest: string) => blobs.get(digest)!;
  return unpackJob(WireJob.parse(JSON.parse(JSON.stringify(packed))), get, async (digest) =>
    decodeTask(await get(digest)),
  );
}

function putInto(blobs: Map<string, Uint8Array>) {
  return async (content: Uint8Array) => {
    const digest = sha256(content);
    blobs.set(digest, content);
    return digest;
  };
}
