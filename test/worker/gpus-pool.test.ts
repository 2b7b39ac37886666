import { describe, expect, it } from 'vitest';
import { gpuNeedOf } from '#services/resource-class.ts';
import { decisionRng } from '#services/scheduler/rng.ts';
import type { Gpu } from '#services/worker/fleet.ts';
import { detectGpus, lookAtGpus } from '#services/worker/gpus.ts';
import type { GpuLook } from '#services/worker/gpus-leftovers.ts';
import { type GpuLease, GpuPool } from '#services/worker/gpus-pool.ts';
import { aGpu, listed, StandInGpus } from './stand-in-gpus.ts';

const never = new AbortController().signal;
const idle: GpuLook = { memoryUsedMiB: 4, processes: [] };
const t4 = { model: 'Tesla T4', memoryMiB: 15_360 };

/** A pool whose GPUs show what `looks` says of them; by default they are idle. */
function aPool(gpus: readonly Gpu[], given: { share?: number; looks?: Map<string, GpuLook | Error> } = {}) {
  const said: string[] = [];
  const looks = given.looks ?? new Map();
  const pool = new GpuPool({
    gpus,
    share: given.share ?? 1,
    look: async (uuids) => {
      const seen = uuids.map((uuid) => [uuid, looks.get(uuid) ?? idle] as const);
      for (const [, look] of seen) if (look instanceof Error) throw look;
      return new Map(seen.flatMap(([uuid, look]) => (look instanceof Error ? [] : [[uuid, look]])));
    },
    onService: ({ uuid }, reason) => said.push(`${uuid}: ${reason}`),
    patience: { graceMs: 2, soonMs: 1, laterMs: 1 },
  });
  const lease = (resourceClass: string, signal = never) => pool.lease(gpuNeedOf(resourceClass)!, signal);
  return { pool, lease, looks, said };
}

describe('a lease', () => {
  it('is of GPUs that fit, the smallest first', async () => {
    const { pool, lease } = aPool([aGpu('GPU-h'), aGpu('GPU-t', t4)]);
    await using _pool = pool;
    expect((await lease('gpu-1')).uuids).toEqual(['GPU-t']);
    expect((await lease('gpu-1x80-h100')).uuids).toEqual(['GPU-h']);
    expect(pool.standing().map(({ leases }) => leases)).toEqual([1, 1]);
  });

  it('is refused at once for GPUs that are not there', async () => {
    const { pool, lease } = aPool([aGpu('GPU-t', t4)]);
    await using _pool = pool;
    await expect(lease('gpu-1x24')).rejects.toThrow(RangeError);
    await expect(lease('gpu-2')).rejects.toThrow(RangeError);
  });

  it('given back twice counts once', async () => {
    const { pool, lease } = aPool([aGpu('GPU-a')], { share: 2 });
    await using _pool = pool;
    const [first, second] = [await lease('gpu-1'), await lease('gpu-1')];
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(pool.standing()[0]?.leases).toBe(1);
    second[Symbol.dispose]();
    expect(pool.standing()[0]?.leases).toBe(0);
  });

  it('that is no longer wanted is not waited for, and stands in nobody’s way', async () => {
    const { pool, lease } = aPool([aGpu('GPU-a'), aGpu('GPU-b')]);
    await using _pool = pool;
    const first = await lease('gpu-1');
    const leaving = new AbortController();
    const both = lease('gpu-2', leaving.signal);
    const next = lease('gpu-1');
    leaving.abort(new Error('the worker drains'));
    await expect(both).rejects.toThrow('the worker drains');
    expect((await next).uuids).not.toEqual(first.uuids);
  });

  it('is turned away when the pool closes', async () => {
    const { pool, lease } = aPool([aGpu('GPU-a')]);
    await lease('gpu-1');
    const waiting = expect(lease('gpu-1')).rejects.toThrow('shutting down');
    await pool[Symbol.asyncDispose]();
    await waiting;
    await expect(lease('gpu-1')).rejects.toThrow('shutting down');
  });
});

describe('for a job', () => {
  const job = (resourceClass: string) => ({ jobId: 'r000000-t1', resourceClass });

  it('GPUs are waited for once, however often the job is rung for', async () => {
    const { pool, lease } = aPool([aGpu('GPU-a')]);
    await using _pool = pool;
    const held = await lease('gpu-1');
    const waiting = pool.leaseFor(job('gpu-1'), never);
    expect(await pool.leaseFor(job('gpu-1'), never)).toBeNull();
    held[Symbol.dispose]();
    using _mine = await waiting;
    expect(_mine?.uuids).toEqual(['GPU-a']);
  });

  it('there are none where the worker does not have them', async () => {
    const { pool } = aPool([aGpu('GPU-t', t4)]);
    await using _pool = pool;
    expect(await pool.leaseFor(job('gpu-2'), never)).toBeNull();
    expect(await pool.leaseFor(job('gpu-1x24'), never)).toBeNull();
  });
});

describe('those who wait', () => {
  it('for several GPUs are not passed over by any number of those who want one', async () => {
    const { pool, lease } = aPool([aGpu('GPU-a'), aGpu('GPU-b')]);
    await using _pool = pool;
    const served: string[] = [];
    const use = async (name: string, resourceClass: string) => {
      using _lease = await lease(resourceClass);
      served.push(name);
      await new Promise(setImmediate);
    };
    const small = Array.from({ length: 20 }, (_, index) => () => use(`one ${index}`, 'gpu-1'));
    const begun = small.slice(0, 4).map((start) => start());
    const large = use('two', 'gpu-2');
    await Promise.all([...begun, large, ...small.slice(4).map((start) => start())]);
    expect(served.indexOf('two')).toBe(4);
    expect(served).toHaveLength(21);
  });

  it('for a GPU of another kind do not hold up those who can be served', async () => {
    const { pool, lease } = aPool([aGpu('GPU-h'), aGpu('GPU-t', t4)]);
    await using _pool = pool;
    using _held = await lease('gpu-1-h100');
    const second = lease('gpu-1-h100');
    expect((await lease('gpu-1-t4')).uuids).toEqual(['GPU-t']);
    _held[Symbol.dispose]();
    expect((await second).uuids).toEqual(['GPU-h']);
  });

  it('for more GPUs than are in service do not keep the others idle', async () => {
    const looks = new Map<string, GpuLook | Error>();
    const { pool, lease } = aPool([aGpu('GPU-a'), aGpu('GPU-b')], { looks });
    await using _pool = pool;
    const held = await lease('gpu-2');
    looks.set('GPU-a', { memoryUsedMiB: 9_000, processes: [] });
    held[Symbol.dispose]();
    await until(() => pool.standing()[0]?.outOfService !== null && pool.standing()[1]?.outOfService === null);
    const both = lease('gpu-2');
    using one = await lease('gpu-1');
    expect(one.uuids).toEqual(['GPU-b']);
    one[Symbol.dispose]();
    looks.delete('GPU-a');
    expect((await both).uuids).toHaveLength(2);
  });
});

/** Many who want different things, in any order, with leases that overlap and some who change their mind. */
describe.each([1, 2, 3])('with %i to a GPU', (share) => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('no GPU ever serves more, and everybody is served (seed %i)', async (seed) => {
    const rng = decisionRng(seed, share);
    const below = (n: number) => Math.floor(rng() * n);
    const gpus = Array.from({ length: 2 + below(5) }, (_, index) => aGpu(`GPU-${index}`, rng() < 0.4 ? t4 : {}));
    const { pool, lease } = aPool(gpus, { share });
    await using _pool = pool;
    const inUse = new Map<string, number>();
    const classes = ['gpu-1', 'gpu-2', 'gpu-1-h100', 'gpu-2-h100', 'gpu-1x16', 'gpu-3'];
    const possible = classes.filter((name) => {
      const need = gpuNeedOf(name)!;
      const fitting = gpus.filter(({ model, memoryMiB }) => {
        const named = need.models.length === 0 || model.includes('H100');
        return named && memoryMiB / share >= need.memoryGiB * 1024 * 0.92;
      });
      return fitting.length >= need.gpus;
    });
    let served = 0;
    let left = 0;
    const visit = async () => {
      for (let pauses = below(6); pauses > 0; pauses -= 1) await new Promise(setImmediate);
      const name = possible[below(possible.length)]!;
      const leaving = new AbortController();
      if (rng() < 0.2) setImmediate(() => leaving.abort(new Error('left')));
      let held: GpuLease;
      try {
        held = await lease(name, leaving.signal);
      } catch {
        left += 1;
        return;
      }
      expect(new Set(held.uuids).size).toBe(gpuNeedOf(name)!.gpus);
      for (const uuid of held.uuids) inUse.set(uuid, (inUse.get(uuid) ?? 0) + 1);
      expect(Math.max(...inUse.values())).toBeLessThanOrEqual(share);
      for (let pauses = below(8); pauses > 0; pauses -= 1) await new Promise(setImmediate);
      for (const uuid of held.uuids) inUse.set(uuid, inUse.get(uuid)! - 1);
      held[Symbol.dispose]();
      served += 1;
    };
    await Promise.all(Array.from({ length: 150 }, visit));
    expect(served + left).toBe(150);
    expect(served).toBeGreaterThan(90);
    expect(pool.standing().every(({ leases }) => leases === 0)).toBe(true);
  });
});

describe('a GPU on which a job left something', () => {
  const stray = { memoryUsedMiB: 1_204, processes: [{ pid: 77, name: 'python3', memoryMiB: 1_200 }] };

  it('is out of service until it is clean, and says why', async () => {
    const { pool, lease, looks, said } = aPool([aGpu('GPU-a')]);
    await using _pool = pool;
    const held = await lease('gpu-1');
    looks.set('GPU-a', stray);
    held[Symbol.dispose]();
    await until(() => said.length > 0);
    expect(said).toEqual(['GPU-a: left behind: process 77 (python3, 1200 MiB)']);
    expect(pool.standing()[0]?.outOfService).toContain('process 77');
    const waiting = lease('gpu-1');
    looks.delete('GPU-a');
    expect((await waiting).uuids).toEqual(['GPU-a']);
    expect(said.at(-1)).toBe('GPU-a: null');
  });

  it('is given a moment to clear up', async () => {
    const seen = [idle, stray, stray, idle];
    const said: string[] = [];
    await using pool = new GpuPool({
      gpus: [aGpu('GPU-a')],
      look: async () => new Map([['GPU-a', seen.shift() ?? idle]]),
      onService: ({ uuid }) => said.push(uuid),
      patience: { graceMs: 600_000, soonMs: 1, laterMs: 1 },
    });
    const need = { gpus: 1, memoryGiB: 0, models: [] };
    (await pool.lease(need, never))[Symbol.dispose]();
    using _next = await pool.lease(need, never);
    expect(seen).toEqual([]);
    expect(said).toEqual([]);
  });

  it('is found out by what nvidia-smi says, and put back when it says otherwise', async () => {
    using smi = new StandInGpus({ gpus: [listed('GPU-a')] });
    const found = await detectGpus('all', { program: smi.program });
    const said: string[] = [];
    await using pool = new GpuPool({
      gpus: found.gpus,
      look: (uuids, signal) => lookAtGpus(uuids, { program: smi.program, signal }),
      onService: ({ uuid }, reason) => said.push(`${uuid}: ${reason}`),
      patience: { graceMs: 2, soonMs: 1, laterMs: 1 },
    });
    const need = { gpus: 1, memoryGiB: 80, models: ['h100'] };
    const held = await pool.lease(need, never);
    const left = [{ gpu_uuid: 'GPU-a', pid: 77, process_name: 'python3', used_gpu_memory: 1200 }];
    smi.say({ gpus: [listed('GPU-a', { 'memory.used': 1204 })], processes: left });
    held[Symbol.dispose]();
    await until(() => said.length > 0);
    expect(said).toEqual(['GPU-a: left behind: process 77 (python3, 1200 MiB)']);
    smi.say({ gpus: [listed('GPU-a')], fails: { code: 9, stderr: 'no driver' } });
    await until(() => said.length > 1);
    expect(said.at(-1)).toBe('GPU-a: it cannot be looked at: nvidia-smi fails (9): no driver');
    smi.say({ gpus: [listed('GPU-a')] });
    expect((await pool.lease(need, never)).uuids).toEqual(['GPU-a']);
    expect(said.at(-1)).toBe('GPU-a: null');
  });

  it('is not blamed for what was there before', async () => {
    const { pool, lease, looks, said } = aPool([aGpu('GPU-a')]);
    await using _pool = pool;
    looks.set('GPU-a', stray);
    for (let again = 0; again < 3; again += 1) {
      using held = await lease('gpu-1');
      expect(held.uuids).toEqual(['GPU-a']);
    }
    expect(said).toEqual([]);
  });

  it('is looked at only once the last of those who share it has gone', async () => {
    const { pool, lease, looks, said } = aPool([aGpu('GPU-a')], { share: 2 });
    await using _pool = pool;
    const [first, second] = [await lease('gpu-1'), await lease('gpu-1')];
    looks.set('GPU-a', stray);
    first[Symbol.dispose]();
    (await lease('gpu-1'))[Symbol.dispose]();
    expect(said).toEqual([]);
    second[Symbol.dispose]();
    await until(() => said.length > 0);
    expect(said[0]).toContain('process 77');
  });

  it('is not leased while it cannot be looked at, and is once it can', async () => {
    const { pool, lease, looks, said } = aPool([aGpu('GPU-a'), aGpu('GPU-b', t4)]);
    await using _pool = pool;
    looks.set('GPU-b', new Error('nvidia-smi does not answer within 15 s'));
    using other = await lease('gpu-1');
    expect(other.uuids).toEqual(['GPU-a']);
    expect(said[0]).toContain('GPU-b: nvidia-smi does not answer');
    const waiting = lease('gpu-1-t4');
    looks.delete('GPU-b');
    expect((await waiting).uuids).toEqual(['GPU-b']);
  });
});

async function until(holds: () => boolean): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 5) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('waited 30 s in vain');
}
