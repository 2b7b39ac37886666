import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openArchive } from '#archive/archive.ts';
import { type Event, type Run, type RunId, RunSpec } from '#archive/schema.ts';
import { openSuite } from '#benchmarks/suite.ts';
import { createProcess } from '#sandbox/process.ts';
import { compose, type Service } from '#services/compose.ts';
import { readConfig } from '#services/config.ts';
import { validateSuite } from '#services/evaluator/validate.ts';
import { leaseForTask, openGpus } from '#services/worker/gpus.ts';
import { clade } from '#test/cli/in-process.ts';
import { cladeProcess } from '#test/cli/processes.ts';
import { openFleet } from '#test/fleet/processes.ts';
import { postRun, runIn, temporaryHome } from '#test/service-process.ts';
import { type GpuState, listed, StandInGpus } from '#test/worker/stand-in-gpus.ts';

const never = new AbortController().signal;
const two: GpuState = { gpus: [listed('GPU-a'), listed('GPU-b')] };
const spec = { sandbox: 'process', slots: 4, smokeTask: 'one', limits: { trialSeconds: 60 } } as const;

describe('a suite whose tasks need GPUs', { timeout: 600_000 }, () => {
  it('runs on the GPUs that are here, each serving one sandbox at a time', async () => {
    using place = aPlace({ one: { gpus: 1 }, pair: { gpus: 2, gpuMemoryGiB: 80 }, plain: { gpus: 0 } });
    using _gpus = onPath(two);
    await using service = await compose(readConfig({ CLADE_HOME: place.home, CLADE_LOG: 'silent' }));
    const budget = { trials: 9, proposals: 2 };
    const run = await finished(service, { ...spec, suite: place.suite, budget });
    expect(run.reason).toMatch(/of (9 trials|2 proposals)/);

    const { jobs, trials, proposals } = service.archive;
    const needs = { one: 'gpu-1', pair: 'gpu-2x80', plain: 'cpu' };
    const done = trials.list(run.id, { limit: 1_000 });
    expect(new Set(done.map(({ task }) => task))).toEqual(new Set(Object.keys(needs)));
    for (const { id, task, outcome } of done) {
      expect([task, jobs.get(id)?.resourceClass]).toEqual([task, needs[task as keyof typeof needs]]);
      expect(outcome).not.toBe('infra');
    }
    for (const { id } of proposals.list(run.id)) expect(jobs.get(id)?.resourceClass).toBe('gpu-1');

    const uses = usesIn(place.record);
    expect(new Set(uses.map(({ task, gpus }) => `${task} ${gpus.length}`))).toEqual(
      new Set(['one 1', 'pair 2', 'plain 0']),
    );
    expect(overlapping(uses)).toEqual([]);
    expect(notices(service, run.id)).toEqual([]);
  });

  it('lets one GPU serve as many as the operator says', async () => {
    using place = aPlace({ one: { gpus: 1, gpuMemoryGiB: 40 } });
    using _gpus = onPath({ gpus: [listed('GPU-a')] });
    const config = readConfig({ CLADE_HOME: place.home, CLADE_LOG: 'silent', CLADE_GPU_SHARE: '2' });
    await using service = await compose(config);
    const policy = { kind: 'uniform', trialsPerAgent: 1 };
    await finished(service, { ...spec, suite: place.suite, policy, budget: { proposals: 2 } });
    const uses = usesIn(place.record);
    expect(uses.length).toBeGreaterThan(0);
    expect(uses.every(({ gpus }) => gpus.join() === 'GPU-a')).toBe(true);
  });

  it('waits where no worker has them, says what is asked and what there is, and goes on when one has', async () => {
    using place = aPlace({ one: { gpus: 1 } });
    using gpus = onPath({ gpus: [listed('GPU-a')] });
    let runId: RunId;
    {
      const config = readConfig({ CLADE_HOME: place.home, CLADE_LOG: 'silent', CLADE_GPUS: 'none' });
      await using service = await compose(config);
      const asked = { ...spec, suite: place.suite, budget: { trials: 1, proposals: 1 }, finalMeasure: false };
      runId = (await service.scheduler.createRun(RunSpec.parse(asked), Date.now())).id;
      await until(() => notices(service, runId).length > 0);
      await sleep(2_500);
      const said = notices(service, runId);
      expect(said.map(({ code, level }) => [code, level])).toEqual([['no-worker', 'warning']]);
      expect(said[0]?.message).toContain('No worker can give 1 GPU for one, proposals (class gpu-1); none has a GPU');
      expect(service.archive.jobs.open(runId).every(({ state }) => state === 'ready')).toBe(true);
    }
    const doctor = await cladeProcess(['doctor', '--home', place.home], { env: { PATH: gpus.path() } });
    expect(doctor.stdout).toMatch(/✗ run .*No worker can give 1 GPU for one/);
    expect(doctor.stdout).toMatch(/✓ gpu .*1 × NVIDIA H100 80GB HBM3 \(79\.6 GiB\)/);

    await using service = await compose(readConfig({ CLADE_HOME: place.home, CLADE_LOG: 'silent' }));
    await until(() => service.archive.runs.get(runId)?.state === 'finished');
    expect(usesIn(place.record).length).toBeGreaterThan(0);
  });

  it('is told of by `clade run` at its start', async () => {
    using place = aPlace({ one: { gpus: 1, gpuModel: 'B200' }, plain: { gpus: 0 } });
    using gpus = new StandInGpus(two);
    const args = ['run', '--suite', place.suite, '--sandbox', 'process', '--home', place.home, '--trials', '2'];
    const run = await cladeProcess(args, { env: { PATH: gpus.path() }, interruptAt: 'No worker can give' });
    expect(run.stderr).toContain(
      'warning: No worker can give 1 GPU (b200) for one, proposals (class gpu-1-b200); worker embedded has 2 × NVIDIA H100',
    );
  });

  it('runs on the worker that has them, and waits while a GPU there is out of service', async () => {
    using gpus = new StandInGpus({ gpus: [listed('GPU-a')] });
    // The first test run on the GPU leaves a process there.
    const dirty = join(gpus.directory, 'dirty.json');
    const processes = [{ gpu_uuid: 'GPU-a', pid: 77, process_name: 'python3', used_gpu_memory: 1200 }];
    writeFileSync(dirty, JSON.stringify({ gpus: [listed('GPU-a')], processes }));
    const leave = `[ -n "$CUDA_VISIBLE_DEVICES" ] && mv '${dirty}' '${gpus.directory}/state.json' 2>/dev/null`;
    using place = aPlace({ one: { gpus: 1 }, plain: { gpus: 0 } }, leave);
    await using fleet = await openFleet();
    fleet.worker('plain', ['--slots', '2'], { CLADE_GPUS: 'none' });
    await fleet.until('plain', ({ state }) => state === 'active');
    const policy = { kind: 'uniform', trialsPerAgent: 2 };
    const asked = { ...spec, smokeTask: 'plain', suite: place.suite, policy, budget: { proposals: 2 } };
    const { id } = await postRun(fleet.url, asked);
    await until(() => usesIn(place.record).some(({ task }) => task === 'plain'));
    fleet.worker('gpu', ['--slots', '2', '--gpus', 'GPU-a'], { PATH: gpus.path() });
    const out = await fleet.until('gpu', ({ gpusOut }) => gpusOut.length > 0);
    expect(out.gpusOut).toEqual([{ uuid: 'GPU-a', reason: 'left behind: process 77 (python3, 1200 MiB)' }]);
    expect(out.gpus.map(({ uuid, model }) => [uuid, model])).toEqual([['GPU-a', 'NVIDIA H100 80GB HBM3']]);
    const table = await clade(['workers', '--home', fleet.home]);
    expect(table.stdout).toContain('gpu does not use GPU-a: left behind: process 77');
    gpus.say({ gpus: [listed('GPU-a')] });
    await fleet.until('gpu', ({ gpusOut }) => gpusOut.length === 0);
    expect((await runIn(fleet.url, id, ['finished', 'failed'])).state).toBe('finished');

    await using archive = await openArchive(fleet.home, { readOnly: true });
    const events = archive.events.after({ runId: id, seq: 0 });
    const onGpu = archive.trials.list(id, { limit: 1_000 }).filter(({ task }) => task === 'one');
    const claims = events.flatMap(({ data }) => (data.kind === 'job-claimed' ? [data] : []));
    expect(onGpu.length).toBeGreaterThanOrEqual(1);
    for (const trial of onGpu) {
      expect(claims.filter(({ job }) => job === trial.id).map(({ worker }) => worker)).toEqual(['gpu']);
    }
    const said = events.flatMap(({ data }) => (data.kind === 'notice' ? [`${data.code} ${data.message}`] : []));
    expect(said[0]).toMatch(/^no-worker No worker can give 1 GPU for one .* none has a GPU in service/);
    expect(said[1]).toMatch(/^worker-found/);
    expect(overlapping(usesIn(place.record))).toEqual([]);
  });

  it('is validated on the GPUs that are here, and left out where there are none', async () => {
    using place = aPlace({ one: { gpus: 1 }, other: { gpus: 1, gpuModel: 'B200' } });
    const suite = await openSuite(place.suite, { shelf: place.home });
    using _gpus = onPath(two);
    await using pool = await openGpus({ wanted: 'all', share: 1 }, () => {});
    const leaseGpus: Parameters<typeof validateSuite>[1]['leaseGpus'] = (task, signal) =>
      leaseForTask(pool, task, signal);
    const validated = await validateSuite(suite, { driver: createProcess(), concurrency: 2, signal: never, leaseGpus });
    expect(validated).toMatchObject({ referenceResolved: 1, emptyResolved: 0 });
    expect(validated.excluded).toEqual([
      { id: 'other', reason: 'it needs 1 GPU (b200); here is: 2 × NVIDIA H100 80GB HBM3 (79.6 GiB)' },
    ]);
    expect(usesIn(place.record).every(({ task, gpus }) => task === 'one' && gpus.length === 1)).toBe(true);
  });

  it('is refused in a sandbox that hands out no GPUs', async (context) => {
    using place = aPlace({ one: { gpus: 1 } });
    using _gpus = onPath(two);
    await using service = await compose(readConfig({ CLADE_HOME: place.home, CLADE_LOG: 'silent' }));
    const asked = RunSpec.parse({ ...spec, suite: place.suite, sandbox: 'bubblewrap' });
    const refused = service.scheduler.createRun(asked, Date.now()).catch((error: Error) => error.message);
    const message = String(await refused);
    context.skip(!message.includes('GPUs'), `bubblewrap does not work here: ${message}`);
    expect(message).toContain('These tasks need GPUs, and the bubblewrap sandbox hands out none: one.');
  });
});

interface Place extends Disposable {
  home: string;
  suite: string;
  /** Where tests write which GPUs they saw, and when. */
  record: string;
}

/** A suite of one kata several times over, with other needs each. Its tests say which GPUs they see, and then run a script. */
function aPlace(tasks: Record<string, object>, atTheEnd = 'true'): Place {
  const { home, [Symbol.dispose]: dispose } = temporaryHome();
  const kata = fileURLToPath(new URL('../../benchmarks/suites/katas/todo-plural', import.meta.url));
  const [suite, record] = [join(home, 'mine'), join(home, 'record')];
  mkdirSync(suite, { recursive: true });
  writeFileSync(join(suite, 'suite.json'), JSON.stringify({ title: 'On GPUs' }));
  for (const [id, resources] of Object.entries(tasks)) {
    cpSync(kata, join(suite, id), { recursive: true });
    const manifest = JSON.parse(readFileSync(join(kata, 'task.json'), 'utf8'));
    const note = (what: string) => `echo "${what} $$ ${id} $CUDA_VISIBLE_DEVICES" >> '${record}'`;
    const script = `${note('begin')}; "$@"; code=$?; sleep 0.2; ${atTheEnd}; ${note('end')}; exit $code`;
    const test = { ...manifest.test, command: ['sh', '-c', script, 'sh', ...manifest.test.command] };
    writeFileSync(join(suite, id, 'task.json'), JSON.stringify({ ...manifest, id, test, resources, abilities: [] }));
  }
  return { home, suite, record, [Symbol.dispose]: dispose.bind(null) };
}

/** As long as it is not disposed of, this process finds these GPUs. */
function onPath(state: GpuState): StandInGpus {
  const gpus = new StandInGpus(state);
  const before = process.env.PATH;
  process.env.PATH = gpus.path();
  const remove = gpus[Symbol.dispose].bind(gpus);
  return Object.assign(gpus, {
    [Symbol.dispose]() {
      process.env.PATH = before;
      remove();
    },
  });
}

interface Use {
  what: 'begin' | 'end';
  /** Tells the test runs apart. */
  pid: string;
  task: string;
  gpus: string[];
}

/** In the order in which they were written. */
function usesIn(record: string): Use[] {
  const lines = existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : [];
  return lines.map((line) => {
    const [what, pid = '', task = '', gpus = ''] = line.split(' ');
    return { what: what === 'end' ? 'end' : 'begin', pid, task, gpus: gpus === '' ? [] : gpus.split(',') };
  });
}

/** GPUs on which a test run began while another was on it. */
function overlapping(uses: readonly Use[]): string[] {
  const users = new Map<string, string>();
  const found: string[] = [];
  for (const { what, pid, gpus } of uses) {
    for (const gpu of gpus) {
      if (what === 'begin' && users.has(gpu)) found.push(`${gpu}: ${users.get(gpu)} and ${pid}`);
      if (what === 'begin') users.set(gpu, pid);
      else users.delete(gpu);
    }
  }
  return found;
}

function notices(service: Service, runId: RunId): (Event['data'] & { kind: 'notice' })[] {
  const events = service.archive.events.after({ runId, seq: 0 });
  return events.flatMap(({ data }) => (data.kind === 'notice' ? [data] : []));
}

async function finished(service: Service, asked: object): Promise<Run> {
  const { id } = await service.scheduler.createRun(RunSpec.parse(asked), Date.now());
  const run = () => service.archive.runs.get(id)!;
  await until(() => ['finished', 'failed', 'paused'].includes(run().state));
  expect(run()).toMatchObject({ state: 'finished' });
  return run();
}

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 300_000; waited += 50) {
    if (holds()) return;
    await sleep(50);
  }
  throw new Error('waited 300 s in vain');
}
